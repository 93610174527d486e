"""Jobs: put into the queue, owned by one process on a lease, finished, tried again or given up; and the run of each."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, When
from django.utils import timezone
from django.utils.translation import gettext_noop

from runs.kinds import all_kinds
from runs.models import Job, Run, Schedule
from runs.queue.registry import UnknownTaskError, all_tasks, find_task
from runs.queue.status import JOBS, RUNS, count

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
    """Context manager around each job; `insight_site.operate.tracing` sets it when tracing is on."""

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


# Queue a notice that something happened; `insight_site.notify` decides who receives it.
#
# A notice job carries a kind, a row and a state, never a result. `insight_site.notify` builds the text from the row
# and checks whether its outcome may be shown.

TASK = "insight_site.tasks.tell"
OVER = "-"  # state of a condition that has ended: no notice is sent, and its next occurrence is news again


def tell(
    kind: str, label: str, pk: int | str, state: str = "", *, by: int | None = None, to: Iterable[int | None] = ()
) -> None:
    """Queue notices to the people concerned, once this transaction is committed.

    Args:
        kind: a key of `insight_site.notify.notice_kinds`.
        label: of the row's model, "experiments.Experiment".
        pk: of the row.
        state: each state of a row is announced once. Empty: announce it every time.
        by: account that did it; it gets no notice.
        to: accounts to notify in particular, such as the requested reviewers.
    """
    put(TASK, kind, label, pk, state, by or 0, ",".join(str(account) for account in to if account))


# Job leases: one process owns a job as long as it keeps renewing its lease (heartbeat).
#
# A process takes a job by one conditional update, so that two never have it. It then owns the row for `LEASE` and
# renews the lease every few seconds. A job whose process is gone is freed in two ways: its supervisor sees the
# process end, at once; any other worker sees that the lease isn't renewed while it watches. A worker trusts only its
# own clock, since one machine with a wrong clock would take everybody's jobs; and because nobody can renew while the
# database is unavailable, watching starts over afterwards.

# Runs whose process died are restarted if they have a job in the queue, else closed with a reason.

# Whole sentences are stored in English; the page translates them for its reader.
CANCELLED = gettext_noop("A person cancelled this run.")
LOST = gettext_noop("The process that computed this run stopped in the middle. Start it again.")
LOST_AFTER = timedelta(minutes=30)  # longer than the longest stage without a heartbeat
FORGOTTEN_AFTER = timedelta(minutes=1)


def process_gone(task: str, arguments: Sequence[Any], *, again: bool) -> None:
    """The process of this task has died: its run, if it has one, is queued again or has failed.

    A run that was still queued fails together with its task: no other job would ever start it.
    """
    for kind in all_kinds():
        # A row edited by hand may hold anything: it must not crash the worker that cleans up.
        if kind.task == task and arguments and isinstance(arguments[0], int):
            this = kind.run_class._default_manager.filter(pk=arguments[0])
            running = this.filter(status=Run.Status.RUNNING)
            cancelled = running.filter(cancel_requested=True).update(
                status=Run.Status.CANCELLED, reason=CANCELLED, early=None, finished_at=timezone.now()
            )
            count(RUNS, kind.model, Run.Status.CANCELLED, times=cancelled)
            if again:
                running.update(status=Run.Status.QUEUED, stage="", share=0.0, early=None, started_at=None)
            else:
                _fail(this.filter(status__in=Run.OPEN))


def close_lost(model: type[Run]) -> int:
    """Close the runs whose process died while computing; returns how many.

    Without this a command that was killed leaves a page that says "running" for ever.
    """
    lost = model._default_manager.filter(status=Run.Status.RUNNING, heard_at__lt=timezone.now() - LOST_AFTER)
    return _fail(lost)


def _fail(runs: QuerySet[Run]) -> int:
    lost = list(runs.values_list("pk", flat=True))
    failed = runs.update(status=Run.Status.FAILED, reason=LOST, early=None, finished_at=timezone.now())
    count(RUNS, runs.model._meta.label, Run.Status.FAILED, times=failed)
    for pk in lost:
        tell("run_failed", runs.model._meta.label, pk, "failed")
    return failed


def put_forgotten() -> int:
    """Queue jobs for runs that wait but have none; returns how many.

    A worker calls it when it starts and each minute: such runs are left behind by a process that died between saving
    the run and queueing its job, and by the previous release, which had another queue.
    """
    made = 0
    for kind in all_kinds():
        waiting = kind.run_class._default_manager.filter(
            status=Run.Status.QUEUED, created_at__lt=timezone.now() - FORGOTTEN_AFTER
        )
        for pk in waiting.values_list("pk", flat=True):
            jobs = Job.objects.filter(task=kind.task, arguments=[pk], state__in=(Job.State.WAITING, Job.State.RUNNING))
            if not jobs.exists():
                put(kind.task, pk)
                made += 1
    return made


log = structlog.get_logger()
LEASE = timedelta(seconds=60)
WATCHED_SECONDS = LEASE.total_seconds() + 30.0
GAP_SECONDS = 30.0  # after a longer gap a worker counts as not having watched
PAUSES = (timedelta(minutes=1), timedelta(minutes=5))  # before the second and every further try
AT_ONCE = 5  # candidates read at once: another process may take the first
DONE_KEPT, FAILED_KEPT = timedelta(days=2), timedelta(days=30)
ERROR_CHARS = 500
DONE, FAILED, GIVEN_UP = "done", "failed", "given_up"  # as counted: a failed job is retried
ENDED = "Its process ended in the middle."


def take(queue: str, owner: str) -> Job | None:
    """Take the first job of a queue that may begin; None when there is none."""
    now = timezone.now()
    due = Q(due_at=None) | Q(due_at__lte=now)
    late = [task.name for task in all_tasks() if task.late]
    order = Case(When(task__in=late, then=1), default=0)
    waiting = Job.objects.filter(due, queue=queue, state=Job.State.WAITING).order_by(order, "pk")
    for pk in waiting.values_list("pk", flat=True)[:AT_ONCE]:
        mine = Job.objects.filter(pk=pk, state=Job.State.WAITING).update(
            state=Job.State.RUNNING, owner=owner, owned_until=now + LEASE, started_at=now, attempts=F("attempts") + 1
        )
        if mine:
            job = Job.objects.get(pk=pk)
            Schedule.objects.filter(name=job.schedule).update(last_started_at=now)
            return job
    return None


def prolong(job: Job) -> bool:
    """Renew the lease; False when another process owns the job by now."""
    return bool(_owned(job).update(owned_until=timezone.now() + LEASE))


def finish(job: Job) -> bool:
    """Mark the job as done; False when this owner has lost it."""
    now = timezone.now()
    with transaction.atomic():
        if not _owned(job).update(state=Job.State.DONE, ended_at=now, owner="", owned_until=None, error=""):
            return False
        Schedule.objects.filter(name=job.schedule).update(last_ended_at=now, last_success_at=now, failures=0)
        count(JOBS, job.task, DONE)
    return True


def fail(job: Job, error: str) -> bool:
    """Record a failure and retry after a pause unless the tries are used up; False when this owner has lost the job."""
    again = not job.schedule and job.attempts < _tries(job)  # scheduled jobs come again by themselves
    with transaction.atomic():
        if not (_again(job, error) if again else _give_up(job, error)):
            return False
        # A run left open, for example while the database was unavailable: the next try would find it taken.
        process_gone(job.task, job.arguments, again=again)
    return True


def end(job: Job, error: str) -> bool:
    """Give up a job that would fail the same way again, and close its run."""
    with transaction.atomic():
        if not _give_up(job, error):
            return False
        process_gone(job.task, job.arguments, again=False)
    return True


def free(owner: str, *, counted: bool = True) -> int:
    """Free the jobs of a process that is gone: they wait again or are given up; returns how many.

    Args:
        owner: name of a process that no longer exists.
        counted: count the interrupted attempt as a try. False when we ended the process ourselves.
    """
    return _free(Job.objects.filter(state=Job.State.RUNNING, owner=owner), counted=counted)


class Watch:
    """Watches all leases for one worker: since when each one is unchanged, by this process's own clock."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, datetime | None], float] = {}
        self._looked = float("-inf")

    def free_silent(self) -> int:
        """Free the jobs whose lease wasn't renewed for WATCHED_SECONDS; returns how many."""
        now = time.monotonic()
        if now - self._looked > GAP_SECONDS:
            self._seen = {}
        running = list(Job.objects.filter(state=Job.State.RUNNING).values_list("pk", "owned_until"))
        self._looked = now
        self._seen = {lease: self._seen.get(lease, now) for lease in running}
        silent = [lease for lease, since in self._seen.items() if now - since >= WATCHED_SECONDS]
        return sum(
            _free(Job.objects.filter(pk=pk, owned_until=until, state=Job.State.RUNNING), counted=True)
            for pk, until in silent
        )


def run_again(jobs: Iterable[Job]) -> int:
    """Queue failed jobs again with all their tries; returns how many of them were failed."""
    return sum(
        Job.objects.filter(pk=job.pk, state=Job.State.FAILED).update(
            state=Job.State.WAITING, attempts=0, due_at=None, ended_at=None, error=""
        )
        for job in jobs
    )


def forget_old() -> int:
    """Delete jobs done more than two days ago or failed more than a month ago; returns how many."""
    now = timezone.now()
    old = Q(state=Job.State.DONE, ended_at__lt=now - DONE_KEPT) | Q(
        state=Job.State.FAILED, ended_at__lt=now - FAILED_KEPT
    )
    return Job.objects.filter(old).delete()[0]


def _free(jobs: QuerySet[Job], *, counted: bool) -> int:
    freed = 0
    for job in jobs:
        again = not counted or (not job.schedule and job.attempts < _tries(job))
        with transaction.atomic():
            if not (_again(job, ENDED, counted=counted) if again else _give_up(job, ENDED)):
                continue
            process_gone(job.task, job.arguments, again=again)
        log.warning("job.process_gone", job=job.pk, task=job.task, attempts=job.attempts, again=again)
        freed += 1
    return freed


def _owned(job: Job) -> QuerySet[Job]:
    return Job.objects.filter(pk=job.pk, state=Job.State.RUNNING, owner=job.owner)


def _tries(job: Job) -> int:
    try:
        return find_task(job.task).tries
    except UnknownTaskError:  # of another version
        return 1


def _again(job: Job, error: str, *, counted: bool = True) -> bool:
    pause = PAUSES[min(job.attempts, len(PAUSES)) - 1] if error != ENDED else timedelta()
    waits = _owned(job).update(
        state=Job.State.WAITING,
        owner="",
        owned_until=None,
        due_at=timezone.now() + pause,
        attempts=job.attempts if counted else job.attempts - 1,
        error=error[:ERROR_CHARS],
    )
    if waits and counted:
        count(JOBS, job.task, FAILED)
    return bool(waits)


def _give_up(job: Job, error: str) -> bool:
    now, error = timezone.now(), error[:ERROR_CHARS]
    if not _owned(job).update(state=Job.State.FAILED, owner="", owned_until=None, ended_at=now, error=error):
        return False
    Schedule.objects.filter(name=job.schedule).update(last_ended_at=now, failures=F("failures") + 1)
    count(JOBS, job.task, GIVEN_UP)
    log.error("job.given_up", job=job.pk, task=job.task, attempts=job.attempts, error=error)
    return True
