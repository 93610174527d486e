"""Daily trials: who reaches the number *today*, against those who don't yet, alike in all that was known last night.

The question of a cell, "reached Z within Y days", looks back from the end of the window: whoever left early could
hardly reach it (immortal time), and activity of later days stands beside the behaviour. Here every day begins a trial
of its own, as an experiment would have done that day: eligible are the units that are active and below Z, treated are
those that reach Z before the day ends, and held equal is what had happened by the end of the day before. So nothing
that comes after the act is held equal, and nobody counts as treated before being so. What nobody measured stays in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aha.evidence.nuisance import Codes, Flags, Floats, dummies

type Counts = npt.NDArray[np.int32]

MOST_DUMMIES = 10


@dataclass(frozen=True, eq=False)
class UnitDays:
    """What units did day by day: a row for each day on which a unit was active or did anything that is counted.

    Attributes:
        unit: place of the unit among the units of the study's table; rows ascend by unit, then by day.
        day: day of the unit's life, 0 upwards.
        active: whether the unit was active on that day.
        counts: rows × behaviours, how often each was done on that day.
    """

    unit: Codes
    day: Codes
    active: Flags
    counts: Counts

    def __post_init__(self) -> None:
        if any(len(column) != len(self.unit) for column in (self.day, self.active, self.counts)):
            raise ValueError("every column needs one entry per row")
        steps = np.diff(self.unit), np.diff(self.day)
        if not ((steps[0] > 0) | ((steps[0] == 0) & (steps[1] > 0))).all():
            raise ValueError("rows ascend by unit, then by day, and no day stands twice")


@dataclass(frozen=True, eq=False)
class Trials:
    """The trials of a cell, one row for each unit and day at risk: active, with fewer than Z before that day.

    Attributes:
        unit: place of the unit, as in `UnitDays`.
        did: whether it reaches Z on that day.
        history: what was known by the end of the day before, besides what was known at signup: the day itself, times
            done so far, active days so far, whether active the day before, counts of the other behaviours so far.
    """

    unit: Codes
    did: Flags
    history: Floats


def unit_days(
    *,
    counted: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    active: tuple[npt.ArrayLike, npt.ArrayLike],
    behaviours: int,
) -> UnitDays:
    """The rows that the warehouse answers as one record.

    Args:
        counted: unit, place of the behaviour, day, number; only what was done at least once.
        active: unit and day of every active day.
        behaviours: how many behaviours there are.
    """
    unit, behaviour, day, number = (np.asarray(column).astype(np.int64) for column in counted)
    active_unit, active_day = (np.asarray(column).astype(np.int64) for column in active)
    days = 1 + max(int(day.max(initial=0)), int(active_day.max(initial=0)))
    keys, place = np.unique(np.concatenate([unit * days + day, active_unit * days + active_day]), return_inverse=True)
    counts = np.zeros((len(keys), behaviours), dtype=np.int32)
    np.add.at(counts, (place[: len(unit)], behaviour), number.astype(np.int32))
    is_active = np.zeros(len(keys), dtype=np.bool_)
    is_active[place[len(unit) :]] = True
    return UnitDays(keys // days, keys % days, is_active, counts)


def trials_of(days: UnitDays, behaviour: int, others: Sequence[int], *, times: int, within: int) -> Trials:
    """The trials of "behaviour at least `times` times on days 0..`within` - 1".

    Args:
        days: what the units did.
        behaviour: its place among the counts.
        others: places of the behaviours whose earlier counts are held equal.
        times, within: Z and Y of the cell.

    Source: Hernan, Robins 2016 (emulating a target trial); a sequence of them: Danaei et al. 2013.
    """
    inside = days.day < within
    unit, day, active, counts = days.unit[inside], days.day[inside], days.active[inside], days.counts[inside]
    own = counts[:, behaviour].astype(np.int64)
    own_before, active_before = _before(own, unit), _before(active.astype(np.int64), unit)
    at_risk = active & (own_before < times)
    history = (
        dummies(day[at_risk]),
        _so_far(own_before[at_risk]),
        dummies(active_before[at_risk]),
        _day_before(unit, day, active)[at_risk, None].astype(np.float64),
        np.log1p(np.column_stack([_before(counts[:, place].astype(np.int64), unit)[at_risk] for place in others]))
        if others
        else np.zeros((int(at_risk.sum()), 0)),
    )
    return Trials(unit[at_risk], (own_before + own)[at_risk] >= times, np.column_stack(history))


def _before(values: Codes, unit: Codes) -> Codes:
    """Sum of each unit's earlier rows."""
    running = np.cumsum(values) - values
    first = np.searchsorted(unit, unit)
    return np.asarray(running - running[first])


def _day_before(unit: Codes, day: Codes, active: Flags) -> Flags:
    """Whether each row's unit was active on the day before."""
    found = np.zeros(len(unit), dtype=np.bool_)
    found[1:] = (unit[1:] == unit[:-1]) & (day[1:] == day[:-1] + 1) & active[:-1]
    return found


def _so_far(counts: Codes) -> Floats:
    """Times done so far: each number by itself where they are few, else its logarithm."""
    return dummies(counts) if len(np.unique(counts)) <= MOST_DUMMIES else np.log1p(counts)[:, None]
