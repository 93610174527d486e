"""Time to churn of one group: counts of durations that pool with ``+``, and the Kaplan-Meier curve.

Everything works on counts per distinct time, so that the cost depends on the number of days, not of units.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import stats

from stats.results import Interval, NotComputable, Reason, check_alpha
from stats.summaries import Array, Values, finite_array

type Counts = npt.NDArray[np.int64]

# Products like 3/4 * 2/3 miss one half by a rounding error.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Durations:
    """Durations of one group's units, as counts.

    Attributes:
        times: distinct times, rising, at least 0, in the caller's unit (days since day 0).
        events: units that left at each time (day of their last activity before the silence).
        censored: units whose follow-up ended at each time while they were still there. At equal times they count as
            observed until just after the units that left.

    Source: docs/methods/retention.md, "Time to churn".
    """

    times: Array
    events: Counts
    censored: Counts

    def __post_init__(self) -> None:
        times = finite_array(self.times, dimensions=1)
        events, censored = (np.asarray(counts, dtype=np.int64) for counts in (self.events, self.censored))
        if not times.shape == events.shape == censored.shape:
            raise ValueError(f"shapes {times.shape}, {events.shape} and {censored.shape} differ")
        if (times < 0).any() or (np.diff(times) <= 0).any() or (events < 0).any() or (censored < 0).any():
            raise ValueError("times must rise from 0 or more, and counts can't be negative")
        for name, values in (("times", times), ("events", events), ("censored", censored)):
            object.__setattr__(self, name, values)

    @classmethod
    def from_values(cls, times: Values, left: npt.ArrayLike) -> Self:
        """From one time per unit and whether it left then (1, True) or was still there (0, False).

        Raises:
            ValueError: if a time is missing or negative, a mark isn't 0 or 1, or the lengths differ.
        """
        array, marks = finite_array(times, dimensions=1), finite_array(np.asarray(left, np.float64), dimensions=1)
        if array.shape != marks.shape or not np.isin(marks, (0.0, 1.0)).all():
            raise ValueError("one mark of 0 or 1 is needed per time")
        distinct, codes = np.unique(array, return_inverse=True)
        events = np.bincount(codes, weights=marks, minlength=len(distinct)).astype(np.int64)
        return cls(distinct, events, np.bincount(codes, minlength=len(distinct)) - events)

    @classmethod
    def from_counts(cls, rows: Iterable[tuple[float, bool, int]]) -> Self:
        """From (time, left, units) in any order; rows of the same time are added up.

        Raises:
            ValueError: if a time or a count is negative.
        """
        given = [(float(time), bool(left), int(units)) for time, left, units in rows]
        if any(units < 0 for _, _, units in given):
            raise ValueError("counts can't be negative")
        times = sorted({time for time, _, units in given if units})
        place = {time: n for n, time in enumerate(times)}
        counts = np.zeros((2, len(times)), dtype=np.int64)
        for time, left, units in given:
            if units:
                counts[0 if left else 1, place[time]] += units
        return cls(np.array(times, dtype=np.float64), counts[0], counts[1])

    def __add__(self, other: "Durations") -> "Durations":
        """The pooled durations of both groups."""
        times = np.union1d(self.times, other.times)
        counts = np.zeros((2, len(times)), dtype=np.int64)
        for group in (self, other):
            place = np.searchsorted(times, group.times)
            counts[0, place] += group.events
            counts[1, place] += group.censored
        return Durations(times, counts[0], counts[1])

    @property
    def n(self) -> int:
        """Number of units."""
        return int(self.events.sum() + self.censored.sum())

    @property
    def left(self) -> int:
        """Number of units that left."""
        return int(self.events.sum())

    @property
    def follow_up(self) -> float:
        """The largest time, of a unit that left or not: the curve is known up to it. 0.0 without units."""
        observed = self.times[self.events + self.censored > 0]
        return float(observed[-1]) if len(observed) else 0.0

    def at_risk(self, days: Values) -> tuple[int, ...]:
        """Units observed and not gone just before each of the given times, in the order given."""
        gone = np.concatenate([[0], np.cumsum(self.events + self.censored)])
        places = np.searchsorted(self.times, finite_array(days, dimensions=1), side="left")
        return tuple(self.n - int(count) for count in gone[places])

    def events_at(self, times: Array) -> Counts:
        """Number of units that left at exactly each of the given times."""
        if not len(self.times):
            return np.zeros(len(times), dtype=np.int64)
        places = np.minimum(np.searchsorted(self.times, times), len(self.times) - 1)
        return np.where(self.times[places] == times, self.events[places], 0)


@dataclass(frozen=True)
class Step:
    """The Kaplan-Meier curve from one time on which units left until the next.

    Attributes:
        time: that time.
        at_risk: units observed and not gone just before it.
        left: units that left at it.
        survival: share still there after it, 0 to 1.
        standard_error: Greenwood's; ``AT_THE_EDGE`` where the share is 0.
        interval: pointwise log-log interval; ``AT_THE_EDGE`` where the share is 0.
    """

    time: float
    at_risk: int
    left: int
    survival: float
    standard_error: float | NotComputable
    interval: Interval | NotComputable


@dataclass(frozen=True)
class SurvivalCurve:
    """Share of a group still there, by time since day 0.

    Before the first step the share is 1, with no interval (nobody has left yet, where log-log has none).

    Attributes:
        n: units.
        left: units that left.
        steps: one per time on which units left, rising.
        follow_up: largest time observed; beyond it the curve is unknown.
        level: confidence level of the pointwise intervals.
    """

    n: int
    left: int
    steps: tuple[Step, ...]
    follow_up: float
    level: float


def kaplan_meier(durations: Durations, *, alpha: float = 0.05) -> SurvivalCurve | NotComputable:
    """Kaplan-Meier curve with Greenwood's error and pointwise log-log intervals.

    Args:
        durations: one group.
        alpha: two-sided error rate of each pointwise interval.

    Returns:
        S(t) = prod(1 - d/n) over the times at which units left; error S * sqrt(sum d/(n(n-d))); interval
        S^exp(-+z*SE/(S ln S)). ``NotComputable(NO_DATA)`` without units.

    Source: Kaplan and Meier 1958; Greenwood 1926; Kalbfleisch and Prentice 1980 (log-log); docs/methods/survival.md.
    """
    check_alpha(alpha)
    if durations.n == 0:
        return NotComputable(Reason.NO_DATA)
    z = float(stats.norm.isf(alpha / 2))
    times, at_risk, left, survival, hazard_variance = life_table(durations)
    steps = tuple(
        _step(*row, z=z, level=1 - alpha)
        for row in zip(
            times.tolist(),
            at_risk.tolist(),
            left.tolist(),
            survival.tolist(),
            np.cumsum(hazard_variance).tolist(),
            strict=True,
        )
    )
    return SurvivalCurve(durations.n, durations.left, steps, durations.follow_up, 1 - alpha)


def life_table(durations: Durations) -> tuple[Array, Counts, Counts, Array, Array]:
    """Times at which units left, units at risk, units that left, S just after, and d/(n(n-d)), 0 where n = d.

    Source: Greenwood 1926.
    """
    rows = durations.events > 0
    times, left = durations.times[rows], durations.events[rows]
    at_risk = np.array(durations.at_risk(times), dtype=np.int64)
    staying = at_risk - left
    survival = np.cumprod(staying / at_risk)
    # Divided twice, so that no product of counts can overflow.
    variance = np.divide(left / at_risk, staying, out=np.zeros(len(times)), where=staying > 0)
    return times, at_risk, left, survival, variance


def at_risk_table(groups: Sequence[Durations], days: Sequence[float]) -> tuple[tuple[int, ...], ...]:
    """Units at risk just before each day, one row per group: the table below a Kaplan-Meier chart."""
    return tuple(group.at_risk(days) for group in groups)


def _step(
    time: float, at_risk: int, left: int, survival: float, hazard_variance: float, *, z: float, level: float
) -> Step:
    if left == at_risk:
        edge = NotComputable(Reason.AT_THE_EDGE, {"share": 0.0})
        return Step(time, at_risk, left, 0.0, edge, edge)
    # z*SE/(S ln S) with SE = S*sqrt(sum): the S cancels. S < 1, so the larger power gives the lower limit.
    reach = z * sqrt(hazard_variance) / -log(survival)
    low, high = survival ** exp(reach), survival ** exp(-reach)
    interval = Interval(survival, low, high, level, "kaplan-meier-log-log")
    return Step(time, at_risk, left, survival, survival * sqrt(hazard_variance), interval)
