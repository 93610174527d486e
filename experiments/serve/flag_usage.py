"""Count the requests for each flag, so that an experiment's page can show that its service is connected.

Each process has its own counters and writes them at most once in `EVERY` seconds per key and flag: the first call at
once, later ones together. Counts not yet written when a process ends are lost: the page says "at least".
"""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError
from django.db.models import F, Q
from django.http import HttpRequest
from django.utils import timezone

from events.outbox import circuit_breaker
from events.schema import Caller
from experiments.models import FlagAsk

EVERY = 20.0
MOST = 5_000  # pairs of flag and key counted per process
log = structlog.get_logger()
Door = FlagAsk.Door


@dataclass(frozen=True)
class _Ask:
    flag: str
    door: str
    key: str


_lock = threading.Lock()
_counted: dict[_Ask, int] = {}
_written: dict[_Ask, float] = {}


def note_ask(caller: Caller | None, door: FlagAsk.Door, flag: str = "") -> None:
    """Count one call; it never fails, and never waits for an unavailable database.

    Args:
        caller: owner of the key; None for a call without one.
        door: the API that was called.
        flag: its key; "" for all flags at once.
    """
    if caller is None:
        return
    ask, now = _Ask(flag, door.value, caller.key_prefix), time.monotonic()
    with _lock:
        if len(_written) > MOST:
            _forget()
        _counted[ask] = _counted.get(ask, 0) + 1
        if circuit_breaker.is_silent() or now - _written.get(ask, -EVERY) < EVERY:
            return
        times, _written[ask] = _counted.pop(ask), now
    try:
        _write(ask, times)
    except (DatabaseError, InterfaceError) as trouble:
        log.warning("flag.ask_not_noted", flag=flag, error=type(trouble).__name__)


def visitor_of(request: HttpRequest) -> str | None:
    """The caller's address from the request when it has a client key; None for all other callers."""
    caller: Caller | None = getattr(request, "caller", None)
    return getattr(request, "visitor", "") if caller is not None and caller.kind == "client" else None


def _forget() -> None:
    _counted.clear()
    _written.clear()


def _write(ask: _Ask, times: int) -> None:
    now = timezone.now()
    row = {"flag_key": ask.flag, "door": ask.door, "key_prefix": ask.key}
    if _add(row, times, now):
        return
    fresh = FlagAsk(**row, times=0, first_at=now, last_at=now)
    FlagAsk.objects.bulk_create([fresh], ignore_conflicts=True)  # another process may have created it first
    _add(row, times, now)


def _add(row: dict[str, str], times: int, now: datetime) -> int:
    """Add calls to the row and to its day, moving the counts on when a new day begins; returns rows written.

    A call with an earlier day, from a process whose clock is behind, counts for the stored day.
    """
    rows, day = FlagAsk.objects.filter(**row), now.astimezone(UTC).date()
    more: dict[str, Any] = {"times": F("times") + times, "last_at": now}
    return rows.filter(day__gte=day).update(**more, day_times=F("day_times") + times) or rows.filter(
        Q(day__lt=day) | Q(day=None)
    ).update(**more, day=day, day_times=times, day_before=F("day"), day_before_times=F("day_times"))
