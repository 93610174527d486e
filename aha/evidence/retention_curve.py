"""The retention curve of a cohort and its plateau: from which day it is flat, and how high it stays.

An AHA moment aims to raise the plateau. A curve that still falls when the data end has no plateau yet; its last value
is not one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stats.results import NotComputable, Reason
from stats.score import wilson_limits

type Floats = NDArray[np.float64]

TOLERANCE = 0.01
SPAN = 7
REPLICATES = 500
FOUND_AT_LEAST = 0.5


@dataclass(frozen=True)
class DayCount:
    """One day of a cohort's life.

    Attributes:
        day: days since the anchor.
        active: units active on that day.
        units: units for which that day is complete. All days should use the *same* units: where young units drop out
            from one day to the next, the changing composition shows in the curve.
    """

    day: int
    active: int
    units: int


@dataclass(frozen=True)
class Point:
    """Share of units active on a day, 0 to 1, with its Wilson interval and its denominator."""

    day: int
    share: float
    low: float
    high: float
    units: int


@dataclass(frozen=True)
class Plateau:
    """Where a retention curve flattens.

    Attributes:
        day: first day of the flat stretch, which lasts to the end of the data.
        day_low, day_high: range of that day over redrawn counts (95 %, of the redraws that have a plateau).
        found_share: share of the redraws that have one, at least a half; near 1 when the plateau isn't due to chance.
        height: mean share of units active on a day of the flat stretch, 0 to 1.
        low, high: its interval at `level`. It counts units once, not once per day, so it is conservative (too wide).
        decline: relative decline per day on the flat stretch; 0.002 = each day 0.2 % fewer than the day before.
        decline_high: upper limit of it, at most `tolerance`.
        tolerance: the decline per day that still counts as flat.
        units: smallest denominator of the stretch.
        level: confidence level.
    """

    day: int
    day_low: int
    day_high: int
    found_share: float
    height: float
    low: float
    high: float
    decline: float
    decline_high: float
    tolerance: float
    units: int
    level: float


@dataclass(frozen=True)
class Curve:
    """A retention curve with its plateau, or the reason why it has none."""

    points: tuple[Point, ...]
    plateau: Plateau | NotComputable


def retention_curve(
    counts: Sequence[DayCount], *, seed: int, tolerance: float = TOLERANCE, alpha: float = 0.05
) -> Curve:
    """The curve, day by day, with its plateau.

    Args:
        counts: one entry per day, days rising by one. Day 0 is drawn but never part of a plateau: everyone is active.
        seed: of the redraws that give the range of the day.
        tolerance: relative decline per day up to which the curve counts as flat, above 0 and below 1.
        alpha: two-sided error rate of the intervals, one-sided of the two tests inside.

    Returns:
        A plateau from day t when no stretch of 8 days (t..t+7 and every later one) falls significantly faster than the
        tolerance, and the whole rest t..end is shown to fall more slowly than it, again so in at least half of the
        redraws. Otherwise ``CURVE_STILL_FALLS`` when
        the last 8 days fall significantly faster (the data end before it flattens), else ``CURVE_TOO_NOISY``, or
        ``CURVE_TOO_SHORT``.

    Raises:
        ValueError: if days don't rise by one, counts are impossible, or an option is out of range.

    Source: own; log-linear weighted least squares, docs/methods/evidence.md.
    """
    _check(counts, tolerance, alpha)
    points = tuple(_point(count, alpha) for count in counts)
    return Curve(points, _plateau([count for count in counts if count.day > 0], seed, tolerance, alpha))


def _check(counts: Sequence[DayCount], tolerance: float, alpha: float) -> None:
    if not 0 < tolerance < 1 or not 0 < alpha < 1:
        raise ValueError(f"tolerance and alpha must lie between 0 and 1, not {tolerance} and {alpha}")
    days = [count.day for count in counts]
    if days and days != list(range(days[0], days[0] + len(days))):
        raise ValueError("the days of a curve rise by one")
    if any(count.day < 0 or not 0 <= count.active <= count.units for count in counts):
        raise ValueError("a day has at least 0 active units and at most all of them")


def _point(count: DayCount, alpha: float) -> Point:
    if count.units == 0:
        return Point(count.day, 0.0, 0.0, 1.0, 0)
    low, high = wilson_limits(count.active, count.units, alpha=alpha)
    return Point(count.day, count.active / count.units, float(low), float(high), count.units)


def _plateau(counts: Sequence[DayCount], seed: int, tolerance: float, alpha: float) -> Plateau | NotComputable:
    if len(counts) <= SPAN or min(count.units for count in counts) == 0:
        return NotComputable(Reason.CURVE_TOO_SHORT, {"days": len(counts), "needed": SPAN + 1})
    active = np.array([count.active for count in counts], dtype=np.float64)
    units = np.array([count.units for count in counts], dtype=np.float64)
    flat = _flat_from(active[None, :], units, tolerance, alpha)
    first, decline = int(flat.first[0]), float(flat.decline[0])
    if first < 0:
        reason = Reason.CURVE_STILL_FALLS if flat.falls_at_the_end[0] else Reason.CURVE_TOO_NOISY
        return NotComputable(reason, {"decline": decline, "tolerance": tolerance, "last_day": counts[-1].day})
    rng = np.random.default_rng(seed)
    draws = rng.binomial(units.astype(np.int64), active / units, size=(REPLICATES, len(units)))
    starts = _flat_from(draws.astype(np.float64), units, tolerance, alpha).first
    onsets = starts[starts >= 0]
    if len(onsets) < FOUND_AT_LEAST * REPLICATES:
        return NotComputable(Reason.CURVE_TOO_NOISY, {"found_share": len(onsets) / REPLICATES, "tolerance": tolerance})
    ends = np.quantile(onsets, (0.025, 0.975), method="nearest")
    fewest = int(units[first:].min())
    height = float(active[first:].sum() / units[first:].sum())
    low, high = wilson_limits(height * fewest, fewest, alpha=alpha)
    return Plateau(
        day=counts[first].day,
        day_low=counts[int(ends[0])].day,
        day_high=counts[int(ends[1])].day,
        found_share=len(onsets) / REPLICATES,
        height=height,
        low=float(low),
        high=float(high),
        decline=decline,
        decline_high=float(flat.upper[0]),
        tolerance=tolerance,
        units=fewest,
        level=1 - alpha,
    )


@dataclass(frozen=True, eq=False)
class _Flat:
    """For each curve: index of its first flat day or -1, the decline from there to the end and its upper limit.

    Without a flat day the decline is that of the last eight days. `falls_at_the_end` says whether these fall
    significantly faster than the tolerance.
    """

    first: NDArray[np.int64]
    decline: Floats
    upper: Floats
    falls_at_the_end: NDArray[np.bool_]


def _flat_from(active: Floats, units: Floats, tolerance: float, alpha: float) -> _Flat:
    """Where each curve (row) becomes flat."""
    days = active.shape[1]
    starts = range(days - SPAN)
    # Flatness is claimed for the first of many stretches that shows it, so its test is corrected (Bonferroni). The test
    # for "falls" only delays the day and needs no correction.
    alarm, claim = (float(stats.norm.isf(level)) for level in (alpha, alpha / len(starts)))
    local = np.stack([_decline(active[:, t : t + SPAN + 1], units[t : t + SPAN + 1]) for t in starts], axis=-1)
    rest = np.stack([_decline(active[:, t:], units[t:]) for t in starts], axis=-1)
    calm = local[0] - alarm * local[1] <= tolerance
    calm_from_here = np.flip(np.logical_and.accumulate(np.flip(calm, axis=-1), axis=-1), axis=-1)
    upper = rest[0] + claim * rest[1]
    flat = calm_from_here & (upper <= tolerance)
    first = np.where(flat.any(axis=-1), flat.argmax(axis=-1), -1)
    rows = np.arange(len(first))
    return _Flat(first, rest[0][rows, first], upper[rows, first], ~calm[:, -1])


def _decline(active: Floats, units: Floats) -> tuple[Floats, Floats]:
    """Relative decline per day of each row, and its error: weighted least squares of log share on day.

    Days are treated as independent draws. The same units come back day after day, which makes differences between days
    *less* variable than that: the error is conservative (too large).
    """
    share = (active + 0.5) / (units + 1)
    weight = units * share / (1 - share)
    day = np.arange(share.shape[1], dtype=np.float64)
    centred = day - (weight * day).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    spread = (weight * centred**2).sum(axis=1)
    return -(weight * centred * np.log(share)).sum(axis=1) / spread, spread**-0.5
