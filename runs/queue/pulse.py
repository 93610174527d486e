"""Is there a worker? Each one signs every few seconds; pages tell those who wait when none does."""

from datetime import datetime, timedelta

from django.utils import timezone

from runs.models import WorkerPulse

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
