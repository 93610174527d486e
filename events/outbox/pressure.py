"""Backpressure: refuse events with a 429 while the site can't take more; senders keep them and retry.

Otherwise a stopped worker lets the database's disk fill up, and then no request is answered at all. Each process checks
once a second; Insight's own events (exposures) are never refused.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Sum
from prometheus_client import Counter

from events.models import Flush, OutboxEvent
from events.store.object_store import local_folder

LOOK_SECONDS = 1.0
SHARE = 0.05  # maximum share of a process's time for checking
FLUSHED_SECONDS = 30  # the outbox may be shorter after this: the flush runs every minute
DISK_SECONDS = 60
REFUSED = Counter("insight_ingest_refused", "Calls that were told to come later, by reason.", ["reason"])
log = structlog.get_logger()


@dataclass(frozen=True)
class Pressure:
    """Why no more events are taken now.

    Attributes:
        code: ``outbox_full`` or ``disk_full``.
        message: for the sender, in English.
        retry_seconds: after how long to retry.
    """

    code: str
    message: str
    retry_seconds: int


FULL = Pressure(
    "outbox_full", "too many events wait for the event store; send these again later", retry_seconds=FLUSHED_SECONDS
)
NO_ROOM = Pressure("disk_full", "the disk is nearly full; send these events again later", retry_seconds=DISK_SECONDS)


@dataclass
class _Seen:
    pressure: Pressure | None = None
    until: float = 0.0


_seen = _Seen()


def pressure() -> Pressure | None:
    """Why senders must retry later, or None; cached for a moment.

    Raises:
        django.db.Error: when the database is away.
    """
    began = time.monotonic()
    if began < _seen.until:
        return _seen.pressure
    reason = look()
    if reason != _seen.pressure:
        log.warning("ingest.pressure", reason=reason.code if reason else None)
    _seen.pressure, now = reason, time.monotonic()
    _seen.until = now + max(LOOK_SECONDS, (now - began) / SHARE)
    return reason


def count_refused(reason: Pressure) -> None:
    """Count one call that was told to retry later."""
    REFUSED.labels(reason.code).inc()


def forget() -> None:
    """Clear the cache."""
    _seen.pressure, _seen.until = None, 0.0


def look() -> Pressure | None:
    """The current state, without the cache."""
    if any(shutil.disk_usage(folder).free < settings.DISK_FREE_MB * 1_000_000 for folder in _folders()):
        return NO_ROOM
    return FULL if _is_full(settings.OUTBOX_ROWS) else None


def _is_full(most: int) -> bool:
    """True when more than `most` rows wait. The first and last id can rule it out at once; counting takes a second."""
    waiting = OutboxEvent.objects.order_by("id").values_list("id", flat=True)
    first, last = waiting.first(), waiting.last()
    if first is None or last is None or last - first < most:  # ids have gaps, so this is only an upper bound
        return False
    leaving = Flush.objects.filter(committed_at=None).aggregate(rows=Sum("rows"))["rows"] or 0
    return waiting[: most + leaving + 1].count() > most + leaving


def _folders() -> set[Path]:
    """Folders on this machine to which events are written; a PostgreSQL server's disk can't be checked from here."""
    folders = {local_folder(str(settings.EVENTS_URL))}
    if connection.vendor == "sqlite":
        name = str(connection.settings_dict["NAME"])
        folders.add(None if name == ":memory:" or name.startswith("file:") else Path(name).resolve().parent)
    return {next(place for place in (folder, *folder.parents) if place.exists()) for folder in folders if folder}
