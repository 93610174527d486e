"""Who has a job: one process at a time, as long as it says so again and again.

A process takes a job by one conditional update, so that two never have it. It then owns the row for `LEASE`, and says
every few seconds that it lives. Two things free a job whose process is gone: its supervisor sees the process end, at
once; any other worker sees that the lease isn't prolonged while it watches. It believes no clock but its own, since one
machine with a wrong clock would take everybody's jobs; and a database that was away keeps everybody from prolonging, so
watching begins anew afterwards.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, When
from django.utils import timezone
from django.utils.translation import gettext_noop

from runs.kinds import all_kinds
from runs.models import Job, Run, Schedule
from runs.queue.enqueue import put, tell
from runs.queue.registry import UnknownTaskError, all_tasks, find_task
from runs.queue.status import JOBS, RUNS, count

# Runs whose process died in the middle: begun anew where the queue knows it, else closed with a reason.

# Whole sentences are stored in English: who reads them is known on the page alone, which translates them.
CANCELLED = gettext_noop("A person cancelled this run.")
LOST = gettext_noop("The process that computed this run stopped in the middle. Start it again.")
LOST_AFTER = timedelta(minutes=30)  # longer than the longest stage without a sign of life
FORGOTTEN_AFTER = timedelta(minutes=1)


def process_gone(task: str, arguments: Sequence[Any], *, again: bool) -> None:
    """Nobody works on this task any more: its run, if it has one, waits again, or has failed.

    A run that nobody had begun fails with its task too: nothing would ask for it any more, and it would wait for ever.
    """
    for kind in all_kinds():
        # A row that somebody wrote by hand may hold anything: it must not end the worker that looks after it.
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
                _fail(this.filter(status__in=(Run.Status.QUEUED, Run.Status.RUNNING)))


def close_lost(model: type[Run]) -> int:
    """End the runs whose process died in the middle; returns how many.

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
    """Ask for the runs that wait and that nobody was asked for; how many.

    A worker calls it when it starts and each minute: a process that ends between keeping a run and asking for it leaves
    one, and so did the release before, whose queue was of another kind.
    """
    made = 0
    for kind in all_kinds():
        waiting = kind.run_class._default_manager.filter(
            status=Run.Status.QUEUED, created_at__lt=timezone.now() - FORGOTTEN_AFTER
        )
        for pk in waiting.values_list("pk", flat=True):
            asked = Job.objects.filter(task=kind.task, arguments=[pk], state__in=(Job.State.WAITING, Job.State.RUNNING))
            if not asked.exists():
                put(kind.task, pk)
                made += 1
    return made


log = structlog.get_logger()
LEASE = timedelta(seconds=60)
WATCHED_SECONDS = LEASE.total_seconds() + 30.0
GAP_SECONDS = 30.0  # who hasn't looked for longer has not watched
PAUSES = (timedelta(minutes=1), timedelta(minutes=5))  # before the second and every further try
AT_ONCE = 5  # looked at in one go: another process may take the first
DONE_KEPT, FAILED_KEPT = timedelta(days=2), timedelta(days=30)
ERROR_CHARS = 500
DONE, FAILED, GIVEN_UP = "done", "failed", "given_up"  # as counted: one that failed is begun again
ENDED = "Its process ended in the middle."


def take(queue: str, owner: str) -> Job | None:
    """The first job of a queue that may begin, now this owner's; None when there is none."""
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
    """Own it for another while; False when somebody else has it by now."""
    return bool(_owned(job).update(owned_until=timezone.now() + LEASE))


def finish(job: Job) -> bool:
    """It was done; False when it isn't this owner's any more."""
    now = timezone.now()
    with transaction.atomic():
        if not _owned(job).update(state=Job.State.DONE, ended_at=now, owner="", owned_until=None, error=""):
            return False
        Schedule.objects.filter(name=job.schedule).update(last_ended_at=now, last_success_at=now, failures=0)
        count(JOBS, job.task, DONE)
    return True


def fail(job: Job, error: str) -> bool:
    """It failed: try again after a pause, unless it has been tried often enough; False when it isn't this owner's."""
    again = not job.schedule and job.attempts < _tries(job)  # what the clock asks for comes again by itself
    with transaction.atomic():
        if not (_again(job, error) if again else _give_up(job, error)):
            return False
        # A run that it left open, as when the database was away: the next try would find it taken.
        process_gone(job.task, job.arguments, again=again)
    return True


def end(job: Job, error: str) -> bool:
    """It must not go on, and would come no further a second time: given up, and its run with it."""
    with transaction.atomic():
        if not _give_up(job, error):
            return False
        process_gone(job.task, job.arguments, again=False)
    return True


def free(owner: str, *, counted: bool = True) -> int:
    """The process of this owner is gone: what it had begun waits again, or is given up; how many those are.

    Args:
        owner: a name that no process has any more.
        counted: that it was begun counts as a try. Not when we ended the process ourselves.
    """
    return _free(Job.objects.filter(state=Job.State.RUNNING, owner=owner), counted=counted)


class Watch:
    """One worker's eye on the jobs of all: since when each lease stands as it does, by this process's own clock."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, datetime | None], float] = {}
        self._looked = float("-inf")

    def free_silent(self) -> int:
        """Free the jobs whose lease wasn't prolonged for WATCHED_SECONDS; how many those are."""
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
    """Put failed jobs back, with all their tries; how many of them were failed."""
    return sum(
        Job.objects.filter(pk=job.pk, state=Job.State.FAILED).update(
            state=Job.State.WAITING, attempts=0, due_at=None, ended_at=None, error=""
        )
        for job in jobs
    )


def forget_old() -> int:
    """Delete jobs that were done two days ago, or failed a month ago; how many."""
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
