"""Runs whose process died in the middle: begun anew where the queue knows it, else closed with a reason."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from runs.kinds import all_kinds
from runs.models import Job, Run
from runs.queue.outcome_counts import RUNS, count
from runs.queue.put import put
from runs.queue.tell_people import tell

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
