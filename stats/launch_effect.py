"""What a curve does from a date on, against what its own past or other curves led one to expect.

Nobody was drawn by lot here: the effect is as good as the fit of the days before, so the same estimator is asked at
dates of the past where nothing happened, and how often it finds something there is its error rate on this site.
Formulas and sources: docs/methods/launches.md.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from stats.results import Interval, NotComputable, Reason

LEVEL = 0.05  # of the call, two-sided (docs/methods/launches.md)
INTERVAL = 0.90
BEFORE = 5  # times as many days before as after, at least: Chernozhukov, Wuethrich, Zhu 2021
FEWEST_BLOCKS = 10  # separate dates of the past, below which its error rate isn't known
ENOUGH_BLOCKS = 30
MOST_WRONG = 0.10  # of at least `ENOUGH_BLOCKS`
WEEK = 7
SUM_TO_ONE = 1e4  # weight of that condition beside the days
STEPS = 400  # of the grid of effects, on each side
type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """A daily curve.

    Attributes:
        day: number of each day, ascending; days without users are left out.
        n: users behind it, at least 1.
        value: its mean or number.
        controls: one column per curve that the launch can't reach, in the same days; with none, the days before and
            their trend say what is expected.
    """

    day: NDArray[np.int64]
    n: Array
    value: Array
    controls: Array

    def only(self, kept: NDArray[np.bool_]) -> "Series":
        """The days that are kept."""
        return Series(self.day[kept], self.n[kept], self.value[kept], self.controls[kept])


@dataclass(frozen=True)
class Change:
    """What a curve did from a date on.

    Attributes:
        effect: mean over the days after, weighted by users, of the value minus the expected one; its 90 % interval.
        p_value: of no effect: the share of all runs of as many days whose misfit is at least as large, 0 to 1.
        before, after: days used.
        expected: the expected value of each day used, oldest first.
        spread: half width of the middle 90 % of the days before around the expected value, of each day.
    """

    effect: Interval
    p_value: float
    before: int
    after: int
    expected: Array
    spread: Array


def change(series: Series, *, after: int) -> Change | NotComputable:
    """The effect of what began `after` days before the series' end.

    The expected curve is fitted to the days before: level, weekday and trend; or, beside control curves, their mean by
    weights that add up to 1, with a level and weekdays of its own. For the p-value the whole series is fitted under
    each supposed effect, and the misfit of the days after is compared with that of every run of as many days, the end
    joined to the beginning: exact for a stationary misfit, nearly so for one whose memory is short beside the days
    after.

    Args:
        series: the days, without those left out.
        after: how many of the last days are judged.

    Source: Chernozhukov, Wuethrich, Zhu 2021, *JASA* 116, sections 2 and 3 (moving blocks).
    """
    before = len(series.day) - after
    if after < 1 or before < BEFORE * after:
        return NotComputable(Reason.TOO_FEW_DAYS_BEFORE, {"n": max(before, 0), "needed": BEFORE * max(after, 1)})
    if float(np.ptp(series.value[:before])) == 0:
        return NotComputable(Reason.NO_VARIANCE)
    weights, columns = np.sqrt(series.n), _columns(series, before)
    weighted = columns * weights[:, None]
    beside = _beside(series, weighted, weights, before)
    rest = series.value - beside
    expected = beside + columns @ (np.linalg.pinv(weighted[:before]) @ (weights * rest)[:before])
    late = np.arange(len(series.day)) >= before
    effect = float(series.n[late] @ (series.value - expected)[late] / series.n[late].sum())
    # Misfits under a supposed effect are linear in it: their sums over runs of days are `a - b * effect`.
    whole = np.linalg.pinv(weighted)
    a, b = (
        _run_sums(weights * values - weighted @ (whole @ (weights * values)), weights, series.n, after)
        for values in (rest, late.astype(np.float64))
    )
    misfit = np.abs(weights * (series.value - expected))[:before]
    low, high = _interval(a, b, effect, before)
    interval = Interval(effect, low, high, INTERVAL, "conformal-permutation")
    return Change(interval, _p(a, b, 0.0, before), before, after, expected, np.quantile(misfit, INTERVAL) / weights)


@dataclass(frozen=True)
class OwnPast:
    """How often the method found an effect at dates where nothing happened.

    Attributes:
        blocks: separate dates that were asked.
        wrong: of them with p at most .05.
        rate: share, with its one-sided 95 % limits; missing without any.
    """

    blocks: int
    wrong: int
    rate: Interval | NotComputable

    @property
    def is_sound(self) -> bool | None:
        """Whether the method may be used on this site; None with too few dates."""
        if self.blocks < FEWEST_BLOCKS or not isinstance(self.rate, Interval):
            return None
        too_often = self.blocks >= ENOUGH_BLOCKS and self.rate.estimate > MOST_WRONG
        return self.rate.low <= LEVEL and not too_often


def own_past(p_values: list[float]) -> OwnPast:
    """The error rate over separate dates of the past.

    Refusing by the lower limit turns away few sound sites: of 30 dates a sound method errs in four or more in 6 %.
    """
    blocks, wrong = len(p_values), sum(p <= LEVEL for p in p_values)
    if not blocks:
        return OwnPast(0, 0, NotComputable(Reason.NO_DATA))
    low = float(special.betaincinv(wrong, blocks - wrong + 1, LEVEL)) if wrong else 0.0
    high = float(special.betainccinv(wrong + 1, blocks - wrong, LEVEL)) if wrong < blocks else 1.0
    return OwnPast(blocks, wrong, Interval(wrong / blocks, low, high, 1 - LEVEL, "clopper-pearson-interval"))


def _columns(series: Series, before: int) -> Array:
    """Level, weekdays that the days before have, and without control curves a trend."""
    weekday = series.day % WEEK
    columns = [np.ones(len(series.day)), *((weekday == k) * 1.0 for k in np.unique(weekday[:before])[1:])]
    if not series.controls.shape[1]:
        columns.append((series.day - series.day[0]) / float(series.day[-1] - series.day[0]))
    return np.column_stack(columns)


def _beside(series: Series, weighted: Array, weights: Array, before: int) -> Array:
    """The mean of the control curves by the weights that follow the curve best in the days before; 0 without any.

    Weights of at least 0 that add up to 1: what moves all curves alike is then expected to move this one as much. A
    ridge would hold them back, the more the noisier the curves are, and take a part of a common shock for an effect.

    Source: Abadie, Diamond, Hainmueller 2010, *JASA* 105; with a level of its own: Doudchenko, Imbens 2016.
    """
    if not series.controls.shape[1]:
        return np.zeros(len(series.day))
    above = weighted[:before]
    target, curves = ((weights[:before] * values.T[..., :before]).T for values in (series.value, series.controls))
    target, curves = (values - above @ (np.linalg.pinv(above) @ values) for values in (target, curves))
    heavy = SUM_TO_ONE * float(np.abs(curves).max() or 1.0)
    found, _rest = optimize.nnls(np.vstack([curves, np.full(curves.shape[1], heavy)]), np.append(target, heavy))
    mean: Array = series.controls @ (found / found.sum())
    return mean


def _run_sums(misfit: Array, weights: Array, n: Array, length: int) -> Array:
    """The weighted misfit of every run of `length` days, the end joined to the beginning, over its own scale."""
    runs = (np.arange(len(n))[:, None] + np.arange(length)) % len(n)
    sums: Array = (weights * misfit)[runs].sum(axis=1) / np.sqrt(n[runs].sum(axis=1))
    return sums


def _p(a: Array, b: Array, effect: float, at: int) -> float:
    misfits = np.abs(a - b * effect)
    return float(np.mean(misfits >= misfits[at] * (1 - 1e-12)))


def _interval(a: Array, b: Array, effect: float, at: int) -> tuple[float, float]:
    """The effects that 10 % or more of all runs don't contradict, at both ends to a four-hundredth of its length."""
    middle = float(a[at] / b[at]) if b[at] else effect
    reach = 4 * (float(np.std(np.delete(a, at))) / max(abs(float(b[at])), 1e-12) + abs(middle - effect))
    while True:
        tried = middle + np.linspace(-reach, reach, 2 * STEPS + 1)
        misfits = np.abs(a[:, None] - b[:, None] * tried)
        kept = tried[np.mean(misfits >= misfits[at] * (1 - 1e-12), axis=0) > 1 - INTERVAL]
        if not len(kept) or (kept[0] > tried[0] and kept[-1] < tried[-1]) or reach > 1e6 * (abs(middle) + sqrt(reach)):
            break
        reach *= 2
    low, high = (float(kept[0]), float(kept[-1])) if len(kept) else (middle, middle)
    return min(low, effect), max(high, effect)
