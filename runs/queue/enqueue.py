"""Ask a worker for something, with the ids of the request that asked; and tell people that something happened."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import structlog

from runs.models import Job
from runs.queue.registry import find_task

# Whose request asked for a job: its ids travel with the job, into the lines that the worker logs of it.

IDS = ("request_id", "trace_id", "span_id")


def here() -> dict[str, str] | None:
    """The ids that this process logs now; None outside a request."""
    bound = structlog.contextvars.get_contextvars()
    return {name: str(bound[name])[:128] for name in IDS if bound.get(name)} or None


def bound(job: Job) -> AbstractContextManager[object]:
    """For the block that does a job: what is logged there names the job and the request, and so do jobs it asks for."""
    ids = {name: str(value) for name, value in (job.origin or {}).items() if name in IDS}
    return structlog.contextvars.bound_contextvars(**ids, job=job.pk, task=job.task)


class Around:
    """What else surrounds each job; `insight_site.operation.tracing` sets it where a site traces."""

    job: Callable[[Job], AbstractContextManager[object]] = staticmethod(lambda job: nullcontext())


def put(name: str, *arguments: int | str, schedule: str = "") -> Job:
    """A row for a worker to take. Inside a transaction it is asked for when that is committed, and else never was.

    Args:
        name: of a task that an app lists.
        arguments: ids and labels; everything else the task reads from the database, as it is when it begins.
        schedule: name of the schedule that asks.

    Raises:
        UnknownTaskError: no app lists it.
    """
    task = find_task(name)
    return Job.objects.create(
        task=task.name, queue=task.queue, arguments=list(arguments), schedule=schedule, origin=here()
    )


# Say that something happened which people may want to hear of. The site above decides whom it concerns.
#
# What is said is a kind, a row and a state: never a result. The notice is made of the row by `insight_site.notices`,
# which asks whether its outcome may be told.

TASK = "insight_site.tasks.tell"
OVER = "-"  # the state of something that no longer is: nobody is told, and the next time is news again


def tell(
    kind: str, label: str, pk: int | str, state: str = "", *, by: int | None = None, to: Iterable[int | None] = ()
) -> None:
    """Let a worker tell those whom it concerns, once this transaction is committed.

    Args:
        kind: a key of `insight_site.notices.notice_kinds`.
        label: of the row's model, "experiments.Experiment".
        pk: of the row.
        state: told once: the same state of the same row is no news. Empty: it is news each time.
        by: account that did it; it isn't told.
        to: accounts that it concerns above all, such as the reviewers who were asked.
    """
    put(TASK, kind, label, pk, state, by or 0, ",".join(str(one) for one in to if one))
