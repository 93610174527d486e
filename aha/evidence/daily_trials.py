"""Sequential daily trials: units that reach Z today against comparable units that don't reach it yet.

A cell, "reached Z within Y days", looks back from the end of the window: a user who left early could hardly reach it
(immortal time bias), and its covariates include activity after the behaviour. Here every day starts a separate trial,
as an experiment on that day would: eligible are the units that are active and below Z, treated are those that reach Z
before the day ends, and the covariates are what had happened by the end of the day before. So the estimate adjusts for
nothing that comes after the act, and no unit counts as treated too early. Unmeasured confounding remains.
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
    """Daily activity and behaviour counts: a row for each day on which a unit was active or did a counted behaviour.

    Attributes:
        unit: index of the unit in the study's table; rows ascend by unit, then by day.
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
        unit: index of the unit, as in `UnitDays`.
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
    """Build `UnitDays` from the rows of the warehouse.

    Args:
        counted: unit, index of the behaviour, day, count; only counts of 1 or more.
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
        behaviour: its column in the counts.
        others: columns of the behaviours whose earlier counts are covariates.
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
    """Sum over the unit's earlier rows, for each row."""
    running = np.cumsum(values) - values
    first = np.searchsorted(unit, unit)
    return np.asarray(running - running[first])


def _day_before(unit: Codes, day: Codes, active: Flags) -> Flags:
    """Whether each row's unit was active on the day before."""
    active_before = np.zeros(len(unit), dtype=np.bool_)
    active_before[1:] = (unit[1:] == unit[:-1]) & (day[1:] == day[:-1] + 1) & active[:-1]
    return active_before


def _so_far(counts: Codes) -> Floats:
    """Times done so far: a dummy for each number where there are few numbers, else the logarithm."""
    return dummies(counts) if len(np.unique(counts)) <= MOST_DUMMIES else np.log1p(counts)[:, None]
