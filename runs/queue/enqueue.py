"""Put jobs into the queue with the request and trace ids of the caller, and queue notices about events."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import structlog

from runs.models import Job
from runs.queue.registry import find_task

# Request and trace ids travel with the job, so that the worker's log lines carry them.

IDS = ("request_id", "trace_id", "span_id")


def here() -> dict[str, str] | None:
    """The ids bound to log lines in this process; None outside a request."""
    bound = structlog.contextvars.get_contextvars()
    return {name: str(bound[name])[:128] for name in IDS if bound.get(name)} or None


def bound(job: Job) -> AbstractContextManager[object]:
    """Bind a job's ids for the block: its log lines, and the jobs it queues, carry job and request ids."""
    ids = {name: str(value) for name, value in (job.origin or {}).items() if name in IDS}
    return structlog.contextvars.bound_contextvars(**ids, job=job.pk, task=job.task)


class Around:
    """Context manager around each job; `insight_site.operation.tracing` sets it when tracing is on."""

    job: Callable[[Job], AbstractContextManager[object]] = staticmethod(lambda job: nullcontext())


def put(name: str, *arguments: int | str, schedule: str = "") -> Job:
    """Add a job row for a worker. Inside a transaction the job exists only once that is committed.

    Args:
        name: of a task that an app lists.
        arguments: ids and labels; everything else the task reads from the database when it begins.
        schedule: name of the schedule that requests it.

    Raises:
        UnknownTaskError: no app lists it.
    """
    task = find_task(name)
    return Job.objects.create(
        task=task.name, queue=task.queue, arguments=list(arguments), schedule=schedule, origin=here()
    )


# Queue a notice that something happened; `insight_site.notices` decides who receives it.
#
# A notice job carries a kind, a row and a state, never a result. `insight_site.notices` builds the text from the row
# and checks whether its outcome may be shown.

TASK = "insight_site.tasks.tell"
OVER = "-"  # state of a condition that has ended: no notice is sent, and its next occurrence is news again


def tell(
    kind: str, label: str, pk: int | str, state: str = "", *, by: int | None = None, to: Iterable[int | None] = ()
) -> None:
    """Queue notices to the people concerned, once this transaction is committed.

    Args:
        kind: a key of `insight_site.notices.notice_kinds`.
        label: of the row's model, "experiments.Experiment".
        pk: of the row.
        state: each state of a row is announced once. Empty: announce it every time.
        by: account that did it; it gets no notice.
        to: accounts to notify in particular, such as the requested reviewers.
    """
    put(TASK, kind, label, pk, state, by or 0, ",".join(str(one) for one in to if one))
