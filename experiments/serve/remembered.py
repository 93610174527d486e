"""Assignments that this process has read: they never change, so a known unit asks the database nothing.

What may go stale is that a row was taken away: an erased unit, a site laid anew. Whoever takes rows away raises the
configuration's number in the same transaction (`experiments.serve.config`); every process then forgets all of them.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.conf import settings
from django.db import connection

type Pair = tuple[str, int]  # unit, experiment
type Stamp = tuple[int, datetime]  # number of a configuration, and when it changed: a site laid anew counts anew


@dataclass(frozen=True, slots=True)
class Stored:
    """What is read of an assignment's row; `exposed_at` may have been stamped by another process since."""

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
        """True while only client keys have asked for the unit: a server key that does has to say so."""
        return bool(self.visit) and self.named_at is None


_lock = threading.Lock()
_rows: dict[Pair, Stored] = {}
_stamp: Stamp | None = None


def recall(pair: Pair, stamp: Stamp) -> Stored | None:
    """The row that this process remembers under the configuration that it serves; None: ask the database."""
    return _rows.get(pair) if stamp == _stamp else None


def keep(rows: Mapping[Pair, Stored], stamp: Stamp) -> None:
    """Remember what was read after this configuration was: at most ASSIGNMENTS_REMEMBERED, the oldest go.

    Rows of one configuration only: a row that was read under an earlier one may be gone. Nothing is kept inside a
    transaction, which may be rolled back.
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
    """Forget all of it."""
    global _stamp  # noqa: PLW0603 - the memory of this process
    with _lock:
        _rows.clear()
        _stamp = None
