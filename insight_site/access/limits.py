"""Calls a minute, shared by processes that share a cache: each takes a block of calls from it and spends that alone.

A call would otherwise wait twice for the cache. What is granted never passes the limit; what a process still holds
when the minute ends is lost, at most a fiftieth of the limit for each process.
"""

import threading
import time
from dataclasses import dataclass

import structlog
from django.core.cache import cache

BLOCKS = 50  # so many make a limit
MOST = 10_000  # names that a process remembers
KEEP_SECONDS = 120
log = structlog.get_logger()


@dataclass(slots=True)
class _Held:
    minute: int
    left: int


_lock = threading.Lock()
_held: dict[str, _Held] = {}


def passes(name: str, limit: int) -> bool:
    """Count a call under this name in the running minute; False when there have been `limit` before it.

    With a cache that is away every call passes: a lost counter must not stop events.
    """
    minute = int(time.time() // 60)
    with _lock:
        held = _held.get(name)
        if held is not None and held.minute == minute and held.left > 0:
            held.left -= 1
            return True
    block = max(1, limit // BLOCKS)
    before = _taken(f"{name}:{minute}", block)
    if before >= limit:
        return False
    with _lock:
        if len(_held) >= MOST:
            _held.clear()
        _held[name] = _Held(minute, min(block, limit - before) - 1)
    return True


def _taken(key: str, block: int) -> int:
    """Take a block; how many calls were taken before it."""
    try:
        cache.add(key, 0, timeout=KEEP_SECONDS)
        return cache.incr(key, block) - block
    except Exception:
        log.exception("access.counter_away")
        return 0
