"""Cache of assignment rows per process, so that a known unit needs no query.

An entry is stale only when its row was deleted (an erased unit, a site set up anew) or changed by joining ids. Code
that does this increments the configuration's number in the same transaction (`experiments.serve.config`); every process
then clears its cache.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.conf import settings
from django.db import connection

type Pair = tuple[str, int]  # unit, experiment
type Stamp = tuple[int, datetime]  # number of a configuration, and when it changed: a new site restarts the numbers


@dataclass(frozen=True, slots=True)
class Stored:
    """The cached part of an assignment row; another process may have set `exposed_at` since."""

    pk: int
    variant_id: int
    segment: str | None
    bucket: int
    exposed_at: datetime | None
    cluster: str | None
    visit: str = ""
    named_at: datetime | None = None

    @property
    def unnamed(self) -> bool:
        """True while only client keys have requested the unit; a server key that requests it must store that."""
        return bool(self.visit) and self.named_at is None


_lock = threading.Lock()
_rows: dict[Pair, Stored] = {}
_stamp: Stamp | None = None


def recall(pair: Pair, stamp: Stamp) -> Stored | None:
    """The cached row under the current configuration; None: query the database."""
    return _rows.get(pair) if stamp == _stamp else None


def keep(rows: Mapping[Pair, Stored], stamp: Stamp) -> None:
    """Cache rows read under this configuration: at most ASSIGNMENTS_REMEMBERED, the oldest are evicted.

    Only rows of one configuration are cached: those read under an earlier one may have been deleted. Nothing is cached
    inside a transaction, which may be rolled back.
    """
    global _stamp  # noqa: PLW0603 - the memory of this process
    if connection.in_atomic_block:
        return
    with _lock:
        if stamp != _stamp:
            _rows.clear()
            _stamp = stamp
        _rows.update(rows)
        for pair in list(islice(_rows, max(0, len(_rows) - settings.ASSIGNMENTS_REMEMBERED))):
            del _rows[pair]


def forget() -> None:
    """Clear the cache."""
    global _stamp  # noqa: PLW0603 - the memory of this process
    with _lock:
        _rows.clear()
        _stamp = None
