"""The time of the last successful backup into BACKUP_DIR, stored in the database for probes."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from insight_site.models import Snapshot

NAME = "backup"


def last_success() -> datetime | None:
    """The time of the last successful backup; None before the first."""
    row = Snapshot.objects.filter(name=NAME).first()
    return row.counted_at if row else None


def note(said: dict[str, Any]) -> None:
    """Record a successful backup."""
    Snapshot.objects.update_or_create(name=NAME, defaults={"value": said, "counted_at": timezone.now()})
