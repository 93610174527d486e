"""Rate limits per minute for the whole site: each process leases a block of calls and spends it locally.

Blocks come from Redis where `REDIS_URL` is set, and otherwise from one row of the database (`models.Lease`): a call
waits for either only when its process needs a new block. What is granted never passes the limit; what a process still
holds when the minute ends, or when it is killed, is lost: at most a twentieth of the limit, or `LEAST` calls. A process
begins with small blocks and takes larger ones as it spends them, so that one that is killed again and again takes
little of the limit along.

Very numerous names, such as visitors, would cost a lease each. So a process may let the first calls of such a name
pass without a lease (`alone`) and ask from then on; the calls it let pass are counted with its first lease.
"""

import threading
import time
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, connection

from events.outbox import circuit_breaker
from insight_site.models import Lease

BLOCKS = 20  # a limit is divided into this many blocks
LEAST = 4  # calls in a block of a small limit, so that never each call writes to the database
FIRST = 400  # a process's first block is this part of the limit; each later one equals what it has leased so far
MOST = 10_000  # names that a process caches
KEEP_SECONDS = 120
AWAY_SECONDS = 10.0  # after a cache failure, don't call the cache for this long: each call would wait for it
# One statement, so that two processes never lease the same calls.
TAKE = f"""
    INSERT INTO {Lease._meta.db_table} AS held (name, minute, taken) VALUES (%s, %s, %s)
    ON CONFLICT (name) DO UPDATE SET minute = excluded.minute, taken = excluded.taken
        + CASE WHEN held.minute = excluded.minute THEN held.taken ELSE 0 END
    RETURNING taken
"""  # noqa: S608 - the name of a table of ours
log = structlog.get_logger()


@dataclass(slots=True)
class _Held:
    """One name's lease in one minute: next block's size, calls left, calls let pass unleased, whether spent."""

    minute: int
    block: int = 0
    left: int = 0
    alone: int = 0
    told: bool = False  # the calls in `alone` were added to the shared counter
    spent: bool = False


_lock = threading.Lock()
_held: dict[str, _Held] = {}


class _Away:
    """When this process may call the cache again after a failure, in monotonic seconds."""

    until = float("-inf")


def passes(name: str, limit: int, *, alone: int = 0) -> bool:
    """Count a call under this name in the running minute; False when there have been `limit` before it.

    When the shared counter is unavailable every call passes: its failure must not stop events.

    Args:
        name: at most 100 characters.
        limit: calls a minute, of all processes together.
        alone: how many calls this process lets pass before it leases; each process may exceed the limit by that many.
    """
    minute = int(time.time() // 60)
    with _lock:
        held = _held.get(name)
        if held is None or held.minute != minute:
            held = _remember(name, minute)
        if held.left > 0:
            held.left -= 1
            return True
        if held.spent:  # a caller over its limit must not cause database writes
            return False
        if not held.told and held.alone < min(alone, limit):
            held.alone += 1
            return True
        before, held.told = (0 if held.told else held.alone), True
    return _lease(held, name, limit, before)


def forget_leases() -> int:
    """Delete the counts of minutes that are over; returns how many."""
    return Lease.objects.filter(minute__lt=int(time.time() // 60) - 1).delete()[0]


def _remember(name: str, minute: int) -> _Held:
    """Start a name's record for this minute; when the cache is full, evict those of earlier minutes, and then all."""
    last = _held.get(name)
    if len(_held) >= MOST:
        for old in [other for other, held in _held.items() if held.minute != minute]:
            del _held[old]
        if len(_held) >= MOST:
            _held.clear()
    _held[name] = held = _Held(minute, 0 if last is None else last.block)
    return held


def _lease(held: _Held, name: str, limit: int, alone: int) -> bool:
    """Lease a block and report the calls let pass unleased; True when the lease covers the current call."""
    least = max(1, min(LEAST, limit // LEAST))
    block = min(max(held.block, least, limit // FIRST), max(least, limit // BLOCKS))
    held.block += block
    try:
        taken = _taken(name, held.minute, block + alone)
    except Exception:
        log.exception("access.counter_away")
        return True
    granted = min(block, limit - taken - alone)
    with _lock:
        if granted <= 0:
            held.spent = True
            return False
        held.left += granted - 1
    return True


def _taken(name: str, minute: int, number: int) -> int:
    """Add `number` to the shared counter; returns its value before."""
    if settings.REDIS_URL:
        return _taken_of_redis(f"{name}:{minute}", number)
    circuit_breaker.refuse_if_silent()
    began = time.monotonic()
    try:
        with connection.cursor() as cursor:
            cursor.execute(TAKE, [name, minute, number])
            return int(cursor.fetchone()[0]) - number
    except (DatabaseError, InterfaceError):
        circuit_breaker.note(began)
        raise


def _taken_of_redis(key: str, number: int) -> int:
    if time.monotonic() < _Away.until:
        return 0
    try:
        cache.add(key, 0, timeout=KEEP_SECONDS)
        return int(cache.incr(key, number)) - number
    except ValueError:  # the cache evicted the name in between
        return 0
    except Exception:
        _Away.until = time.monotonic() + AWAY_SECONDS
        raise
