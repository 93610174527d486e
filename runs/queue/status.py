"""Whether a worker is alive, and how often tasks ended in which way."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from runs.models import OutcomeCount, WorkerPulse

# Is there a worker? Each one signs every few seconds; pages tell those who wait when none does.

ALIVE = timedelta(seconds=30)  # six signs: a database that is busy for a moment is no dead worker
FORGOTTEN = timedelta(days=7)


def last_heard() -> datetime | None:
    """When a worker signed last; None when none ever did."""
    return WorkerPulse.objects.order_by("-heard_at").values_list("heard_at", flat=True).first()


def is_alive(heard: datetime | None) -> bool:
    """True when the last sign is at most half a minute old."""
    return heard is not None and timezone.now() - heard <= ALIVE


def sign(name: str, started: datetime) -> None:
    """One sign of life; workers that have been silent for a week are forgotten."""
    now = timezone.now()
    WorkerPulse.objects.update_or_create(name=name, defaults={"started_at": started, "heard_at": now})
    WorkerPulse.objects.filter(heard_at__lt=now - FORGOTTEN).delete()


def leave(name: str) -> None:
    """The last sign of a worker that ends: its row goes, so that pages know at once."""
    WorkerPulse.objects.filter(name=name).delete()


# How often what was asked for ended in which way, since the site began: kept as numbers, for `/metrics`.
#
# A worker has no address that a monitor could ask, and counting rows would cost more with each month; so each end
# adds one to a row, in the transaction that ends it.

RUNS, JOBS, WEBHOOKS, NOTICES = "runs", "jobs", "webhooks", "notices"


def count(subject: str, kind: str, outcome: str, *, times: int = 1) -> None:
    """Add to one number.

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
    except IntegrityError:  # another process made it meanwhile
        row.update(number=F("number") + times)


def counted(subject: str) -> Iterator[tuple[str, str, int]]:
    """Kind, outcome and number of a subject, as far as they have been counted."""
    yield from OutcomeCount.objects.filter(subject=subject).values_list("kind", "outcome", "number")
