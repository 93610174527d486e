"""Runs whose process died in the middle: begun anew where the queue knows it, else closed with a reason."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop

from runs.kinds import all_kinds
from runs.models import Job, Run
from runs.queue.put import put

# Whole sentences are stored in English: who reads them is known on the page alone, which translates them.
CANCELLED = gettext_noop("A person cancelled this run.")
LOST = gettext_noop("The process that computed this run stopped in the middle. Start it again.")
LOST_AFTER = timedelta(minutes=30)  # longer than the longest stage without a sign of life
FORGOTTEN_AFTER = timedelta(minutes=1)


def process_gone(task: str, arguments: Sequence[Any], *, again: bool) -> None:
    """The process that worked on this task is gone: its run, if it has one, waits again or has failed."""
    for kind in all_kinds():
        if kind.task == task and arguments:
            running = kind.run_class._default_manager.filter(pk=arguments[0], status=Run.Status.RUNNING)
            running.filter(cancel_requested=True).update(
                status=Run.Status.CANCELLED, reason=CANCELLED, early=None, finished_at=timezone.now()
            )
            if again:
                running.update(status=Run.Status.QUEUED, stage="", share=0.0, early=None, started_at=None)
            else:
                running.update(status=Run.Status.FAILED, reason=LOST, early=None, finished_at=timezone.now())


def close_lost(model: type[Run]) -> int:
    """End the runs whose process died in the middle; returns how many.

    Without this a command that was killed leaves a page that says "running" for ever.
    """
    lost = model._default_manager.filter(status=Run.Status.RUNNING, heard_at__lt=timezone.now() - LOST_AFTER)
    return lost.update(status=Run.Status.FAILED, reason=LOST, early=None, finished_at=timezone.now())


def put_forgotten() -> int:
    """Ask for the runs that wait and that nobody was asked for; how many.

    A worker calls it when it starts: the release before had a queue of another kind, whose tasks nobody reads now.
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
