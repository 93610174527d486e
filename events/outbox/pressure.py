"""Whether the site may take more events: refused with a 429 in time, they stay with senders who send them again.

Without it a worker that has stopped fills the database's disk, and then nothing is answered at all. Each process looks
once a second; events of Insight's own (exposures) are never refused.
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
from events.object_store import local_folder

LOOK_SECONDS = 1.0
SHARE = 0.05  # of a process's time, at most, for looking
FLUSHED_SECONDS = 30  # until when the outbox may be shorter: the flush comes each minute
DISK_SECONDS = 60
REFUSED = Counter("insight_ingest_refused", "Calls that were told to come later, by reason.", ["reason"])
log = structlog.get_logger()


@dataclass(frozen=True)
class Pressure:
    """Why no more events are taken now.

    Attributes:
        code: ``outbox_full`` or ``disk_full``.
        message: for the sender, in English.
        retry_seconds: when to come again.
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
    """Why a sender must come later, or None; as this process saw it a moment ago.

    Raises:
        django.db.Error: when the database is away.
    """
    began = time.monotonic()
    if began < _seen.until:
        return _seen.pressure
    found = look()
    if found != _seen.pressure:
        log.warning("ingest.pressure", reason=found.code if found else None)
    _seen.pressure, now = found, time.monotonic()
    _seen.until = now + max(LOOK_SECONDS, (now - began) / SHARE)
    return found


def count_refused(found: Pressure) -> None:
    """One more call was told to come later."""
    REFUSED.labels(found.code).inc()


def forget() -> None:
    """Look again at the next call."""
    _seen.pressure, _seen.until = None, 0.0


def look() -> Pressure | None:
    """The state at this moment."""
    if any(shutil.disk_usage(folder).free < settings.DISK_FREE_MB * 1_000_000 for folder in _folders()):
        return NO_ROOM
    return FULL if _is_full(settings.OUTBOX_ROWS) else None


def _is_full(most: int) -> bool:
    """True when more rows wait than `most`. The ends of their numbers say no at once; counting them takes a second."""
    waiting = OutboxEvent.objects.order_by("id").values_list("id", flat=True)
    first, last = waiting.first(), waiting.last()
    if first is None or last is None or last - first < most:  # numbers are left out too
        return False
    leaving = Flush.objects.filter(committed_at=None).aggregate(rows=Sum("rows"))["rows"] or 0
    return waiting[: most + leaving + 1].count() > most + leaving


def _folders() -> set[Path]:
    """Where events are written on this machine; the disk of a PostgreSQL server is not seen from here."""
    found = {local_folder(str(settings.EVENTS_URL))}
    if connection.vendor == "sqlite":
        name = str(connection.settings_dict["NAME"])
        found.add(None if name == ":memory:" or name.startswith("file:") else Path(name).resolve().parent)
    return {next(place for place in (folder, *folder.parents) if place.exists()) for folder in found if folder}
