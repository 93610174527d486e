"""When a backup was last put into BACKUP_DIR, as the database remembers it: what probes ask."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from insight_site.models import Snapshot

NAME = "backup"


def last_success() -> datetime | None:
    """The moment at which the last one was whole; None before the first."""
    row = Snapshot.objects.filter(name=NAME).first()
    return row.counted_at if row else None


def note(said: dict[str, Any]) -> None:
    """Another is whole."""
    Snapshot.objects.update_or_create(name=NAME, defaults={"value": said, "counted_at": timezone.now()})
