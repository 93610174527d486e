"""Worker heartbeats, and counters of how tasks ended."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from runs.models import OutcomeCount, WorkerPulse

# Worker heartbeat, written every few seconds; pages with waiting runs warn when there is none.

ALIVE = timedelta(seconds=30)  # six heartbeats: a database that is busy for a moment doesn't make a worker look dead
FORGOTTEN = timedelta(days=7)


def last_heard() -> datetime | None:
    """Time of the latest heartbeat of any worker; None when there never was one."""
    return WorkerPulse.objects.order_by("-heard_at").values_list("heard_at", flat=True).first()


def is_alive(heard: datetime | None) -> bool:
    """Whether the latest heartbeat is at most half a minute old."""
    return heard is not None and timezone.now() - heard <= ALIVE


def sign(name: str, started: datetime) -> None:
    """Write a heartbeat; workers silent for a week are deleted."""
    now = timezone.now()
    WorkerPulse.objects.update_or_create(name=name, defaults={"started_at": started, "heard_at": now})
    WorkerPulse.objects.filter(heard_at__lt=now - FORGOTTEN).delete()


def leave(name: str) -> None:
    """Delete the heartbeat of a worker that ends, so that pages know at once."""
    WorkerPulse.objects.filter(name=name).delete()


# Counters of outcomes since the site began, for `/metrics`.
#
# A worker has no address that a monitor could scrape, and counting rows would cost more each month; so each end adds
# one to a counter row, in the transaction that ends it.

RUNS, JOBS, WEBHOOKS, NOTICES = "runs", "jobs", "webhooks", "notices"


def count(subject: str, kind: str, outcome: str, *, times: int = 1) -> None:
    """Increase a counter.

    Args:
        subject: RUNS, JOBS, WEBHOOKS or NOTICES.
        kind: of run, by its model; of job, by its task; of webhook, by its endpoint's id; of
            notice, by its way.
        outcome: how it ended.
        times: how many ended so.
    """
    if times < 1:
        return
    row = OutcomeCount.objects.filter(subject=subject, kind=kind, outcome=outcome)
    if row.update(number=F("number") + times):
        return
    try:
        with transaction.atomic():
            OutcomeCount.objects.create(subject=subject, kind=kind, outcome=outcome, number=times)
    except IntegrityError:  # another process created it meanwhile
        row.update(number=F("number") + times)


def counted(subject: str) -> Iterator[tuple[str, str, int]]:
    """Kind, outcome and count of a subject."""
    yield from OutcomeCount.objects.filter(subject=subject).values_list("kind", "outcome", "number")
