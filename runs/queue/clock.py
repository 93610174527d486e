"""What the clock asks for: due schedules become jobs, once each, however many workers look."""

import structlog
from django.db import transaction
from django.utils import timezone

from runs.models import Job, Schedule
from runs.queue.put import put
from runs.queue.registry import UnknownTaskError

log = structlog.get_logger()
OPEN = (Job.State.WAITING, Job.State.RUNNING)


def put_due() -> int:
    """Ask for what is due; how many jobs that made.

    One that still waits or runs isn't asked for again. A time that lies further ahead than two periods was written by
    a clock that was wrong: it would keep the task away for as long as that clock was ahead, so it is put right.
    """
    now, made = timezone.now(), 0
    for row in Schedule.objects.all():
        if now < row.next_run <= now + 2 * row.period:
            continue
        is_due = row.next_run <= now
        with transaction.atomic():
            unseen = Schedule.objects.filter(pk=row.pk, next_run=row.next_run)
            if not unseen.update(next_run=row.after(now)) or not is_due:
                continue  # another worker was first
            if not Job.objects.filter(schedule=row.name, state__in=OPEN).exists():
                made += _ask(row)
    return made


def _ask(row: Schedule) -> int:
    """1 when it was asked for; 0 for a task of another version, or one that an operator wrote into the former queue."""
    try:
        put(row.task, schedule=row.name)
    except UnknownTaskError:  # the other schedules must go on
        log.error("schedule.unknown_task", schedule=row.name, task=row.task)
        return 0
    return 1
