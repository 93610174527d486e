"""Readings of the map of causes that are kept: what each behaviour's state was, from which findings, and what changed.

A reading is kept where a state, or a set by more than rounding, is another one than in the reading before. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aha.evidence.findings import PastFinding
from aha.evidence.joint_findings import Sorted
from reporting.document import dump
from runs.payloads import Schema
from stats.instrument.anderson_rubin import AndersonRubin
from stats.instrument.causes import Place, State
from stats.results import computable

# Half of the last digit that pages show: of a share .1 points, of other outcomes three digits.
ROUNDING = 0.0005


@dataclass(frozen=True)
class ReadPlace:
    """One behaviour in a kept reading.

    Attributes:
        behaviour: its text.
        state: the one statement about it.
        effect: in the outcome's unit per user who does it; None where it has no number.
        shape: of its set, "" where it has none; `low` and `high` are its ends.
    """

    behaviour: str
    state: State
    effect: float | None = None
    shape: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class KeptMap:
    """One reading, with all that it was computed from.

    Attributes:
        outcome: metric text; `share` where it is a share of users.
        alpha: error rate of each kind of statement; no smallest effect that matters is given.
        places: behaviours that experiments measured, one a behaviour.
        findings: with their moments on this outcome alone.
    """

    outcome: str
    share: bool
    alpha: float
    places: tuple[ReadPlace, ...]
    findings: tuple[PastFinding, ...]


@dataclass(frozen=True)
class Change:
    """What became of one behaviour between two readings.

    Attributes:
        at: of the later reading; `reading` is its number.
        behaviour: its text.
        before, after: None where it wasn't on the map.
        brought: names of the experiments that are new in the later reading, or have more or other moments in it.
        signed: whether the later reading is.
    """

    at: datetime
    reading: int
    behaviour: str
    before: ReadPlace | None
    after: ReadPlace | None
    brought: tuple[str, ...]
    signed: bool


@dataclass(frozen=True)
class Changes:
    """What kept readings of one outcome say.

    Attributes:
        since: of the first reading; None while none is kept.
        rows: the latest first.
    """

    since: datetime | None = None
    rows: tuple[Change, ...] = ()


KEPT_MAP = Schema(KeptMap)


def kept_map(found: Sorted, places: Sequence[Place], outcome: str, *, share: bool, alpha: float) -> KeptMap:
    """The record of a reading of these findings."""
    return KeptMap(
        outcome,
        share,
        alpha,
        tuple(read_place(place) for place in places),
        tuple(replace(row.finding, outcomes=(row.moments,), shared=None, corrected=None) for row in found.nudges),
    )


def read_place(place: Place) -> ReadPlace:
    """A place of the map as it is kept."""
    measured = place.measured
    if measured is None or not computable(measured.effect) or not isinstance(measured.effect_set, AndersonRubin):
        return ReadPlace(place.behaviour, place.state)
    shown = measured.effect_set
    return ReadPlace(place.behaviour, place.state, measured.effect, shown.shape.value, shown.low, shown.high)


def changed_places(before: KeptMap, now: KeptMap) -> list[tuple[ReadPlace | None, ReadPlace | None]]:
    """Behaviours of which the later reading says something else, before and now; None where it isn't on the map."""
    old = {place.behaviour: place for place in before.places}
    new = {place.behaviour: place for place in now.places}
    both = [(old.get(name), new.get(name)) for name in {**new, **old}]
    return [(one, other) for one, other in both if not _alike(one, other, share=now.share)]


def _alike(one: ReadPlace | None, other: ReadPlace | None, *, share: bool) -> bool:
    if one is None or other is None:
        return one is other
    if (one.state, one.shape) != (other.state, other.shape):
        return False
    ends = [(one.low, other.low), (one.high, other.high)]
    size = 1.0 if share else max((abs(end) for pair in ends for end in pair if end is not None), default=1.0)
    return all(_near(first, second, ROUNDING * size) for first, second in ends)


def _near(one: float | None, other: float | None, most: float) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= most


def brought(before: KeptMap, now: KeptMap) -> tuple[str, ...]:
    """Names of the experiments that are new in the later reading, or have more or other moments in it."""
    known = [dump(row) for row in before.findings]
    return tuple(dict.fromkeys(row.name for row in now.findings if dump(row) not in known))
