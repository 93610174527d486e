"""What a question reads of the store: which columns of which days, and how often. Nothing is read here.

A customer lists its readings beside its questions (`readings.py` in its folder), and `events.warehouse.price` adds up
what they cost. The bounds are those of the questions themselves (`Basis.start` and `end`), so that both change
together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from events.metrics import Asked, Behaviour, Capped, Count, Expression, Funnel, Total, outcome_window
from events.warehouse.unit_values import is_apart
from events.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from events.warehouse.unit_values import Basis

# Columns as the files have them: a numbered store's users are in `user`.
USER, EVENT, TIME, PROPERTIES, MESSAGE, RECEIVED = "user", "event", "time", "properties", "message_id", "received_at"
FIRST = "first"  # of the daily table `firsts`
LOG, USERS, FIRSTS, NEWEST = "log", "users", "firsts", "newest"


@dataclass(frozen=True)
class Reading:
    """One pass over a part of the store.

    Attributes:
        columns: that are read.
        since, until: UTC moments between which the events lie; None for no bound.
        of: the log, the dictionary of users, the first times that are kept (else the log), or the newest file alone.
        names: further files below the store's address that are read as a whole, such as what an analysis kept.
        only: of the log these files alone, by their paths below the store's address; None for all in the bounds.
    """

    columns: frozenset[str]
    since: datetime | None = None
    until: datetime | None = None
    of: str = LOG
    names: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None


def opening() -> Reading:
    """What every session reads: where the data end."""
    return Reading(frozenset({TIME}), of=NEWEST)


def user_names() -> Reading:
    """The ids of numbered users."""
    return Reading(frozenset({"user_id", EVENT, USER}), of=USERS)


def whole(*columns: str, since: datetime | None = None, until: datetime | None = None) -> Reading:
    """The log between two moments, or all of it."""
    return Reading(frozenset(columns), since, until)


def event_names(*columns: str) -> Reading:
    """Every event name of the log, by the first times where they are kept."""
    return Reading(frozenset({EVENT, *columns}), of=FIRSTS)


def cohort(basis: Basis, anchor: str) -> Reading:
    """Who is new in the dates of the basis."""
    since = None if basis.first is None else basis.clock.midnight(basis.first)
    until = None if basis.last is None else basis.clock.midnight(basis.last + timedelta(days=1))
    return Reading(frozenset({USER, EVENT, TIME} if anchor != "*" else {USER, TIME}), since, until, FIRSTS)


def of_days(basis: Basis, window: Window, *columns: str) -> Reading:
    """The events that can lie in the window of some unit: user, time and these columns."""
    return Reading(frozenset({USER, TIME, *columns}), basis.start(window.start_day), basis.end(window.end_day))


def outcomes(basis: Basis, definitions: Iterable[Asked], since: datetime | None = None) -> Iterator[Reading]:
    """What `queries.outcomes` reads: one pass for all definitions with a window, and one for each that is apart.

    Args:
        basis: with the dates of the units.
        definitions: no `survival`.
        since: a moment before which the log isn't read, where units have no dates.
    """
    every = list(definitions)
    together = [each for each in every if not is_apart(each)]
    if together:
        windows = [outcome_window(each) for each in together]
        ends = [window.end_day for window in windows]
        last = None if None in ends else max(end for end in ends if end is not None)
        columns = {name for each in together for name in asked(each)}
        passes = [of_days(basis, Window(min(window.start_day for window in windows), last), *columns)]
    else:
        passes = []
    passes += [of_days(basis, outcome_window(each), *asked(each)) for each in every if is_apart(each)]
    for one in passes:
        yield one if since is None else replace(one, since=max(since, one.since or since))


def acts(behaviours: Iterable[Behaviour]) -> tuple[str, ...]:
    """The columns that say whether and when a behaviour was done."""
    return (EVENT, PROPERTIES) if any(one.where or one.distinct for one in behaviours) else (EVENT,)


def asked(definition: Asked) -> tuple[str, ...]:
    """The columns that a definition needs."""
    inner = definition.of if isinstance(definition, Capped) else definition
    if isinstance(inner, Total | Expression):
        return (EVENT, PROPERTIES)
    if isinstance(inner, Count):
        return acts([inner.behaviour])
    if isinstance(inner, Funnel):
        return acts(inner.steps)
    return (EVENT,)
