"""A/A tests: false alarms of a test on the values of untreated units, by many random halves with one test each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stats import compare
from stats.quantiles import bandwidth, linearised_quantile, order_limits, quantile_point
from stats.ratios import linearised
from stats.results import Estimate, Interval, NotComputable, Reason, check_alpha, computable
from stats.summaries import Array, Mean

# Exact interval of a share, for few trials and rare events.


def clopper_pearson(successes: int, n: int, *, alpha: float = 0.05) -> Interval | NotComputable:
    """Exact interval of one share, 0 to 1: it covers in at least 1 - alpha, whatever the share and n.

    ``NotComputable`` when n is 0. Wilson's is shorter and covers about 1 - alpha on average; to judge whether an error
    rate may be the planned one, coverage must hold for each share.

    Source: Clopper and Pearson 1934.
    """
    check_alpha(alpha)
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n, not {successes} of {n}")
    if n == 0:
        return NotComputable(Reason.NO_DATA)
    low = float(stats.beta.ppf(alpha / 2, successes, n - successes + 1)) if successes else 0.0
    high = float(stats.beta.isf(alpha / 2, successes + 1, n - successes)) if successes < n else 1.0
    return Interval(successes / n, low, high, 1 - alpha, "clopper-pearson-interval")


# A group of units as one mean with its error, for any metric: a mean, a ratio or a quantile, linearised.

ROUNDING = 1e-9  # of a share: .1 x 10 units is one unit, despite rounding of floats


class Summary(StrEnum):
    """The kind of a metric, which decides the test that compares two groups."""

    SHARE = "share"
    MEAN = "mean"
    RATIO = "ratio"
    QUANTILE = "quantile"


def mean_of_sums(n: int, sums: Array, centre: float) -> Mean:
    """The mean of a group from sums of its values minus a centre, and of their squares.

    The centre is the mean of all units, so that squares keep their significant digits.
    """
    if n < 2:
        return Mean(n, centre + float(sums[0]) if n else 0.0, 0.0)
    middle = float(sums[0]) / n
    return Mean(n, centre + middle, max((float(sums[1]) - n * middle**2) / (n - 1), 0.0))


def ratio_of_sums(n: int, sums: Array, centre: Array) -> Mean | NotComputable:
    """The ratio of a group, linearised at its own point, from sums of a, b, a², ab, b² minus the centre of both.

    Source: docs/methods/comparison.md.
    """
    if n < 2:
        return NotComputable(Reason.TOO_FEW_UNITS)
    middle = sums[:2] / n
    square = np.array([[sums[2], sums[3]], [sums[3], sums[4]]])
    covariance = (square - n * np.outer(middle, middle)) / (n - 1)
    point = centre + middle
    if point[1] == 0:
        return NotComputable(Reason.NO_DENOMINATOR)
    means, spread = linearised(point[None, :], covariance[None, :, :], point)
    return Mean(n, float(means[0, 0]), max(float(spread[0, 0, 0]), 0.0))


def quantile_of_sorted(values: Array, share: float) -> tuple[float, Mean]:
    """The quantile of sorted values, and as a mean for comparisons. Source: docs/methods/comparison.md."""
    n = len(values)
    if n < 2:
        value = float(values[0]) if n else 0.0
        return value, Mean(n, value, 0.0)
    width = bandwidth(n, share)
    around = (share, share - width, share + width)
    at, low, high = (float(values[max(ceil(n * (probability - ROUNDING)) - 1, 0)]) for probability in around)
    below, until = (int(np.searchsorted(values, at, side=side)) for side in ("left", "right"))
    point = quantile_point(n, share, at, low, high, on=until - below)
    inside = until / n
    variance = np.array([inside * (1 - inside) * n / (n - 1)])
    mean, spread = linearised_quantile(np.array([inside]), variance, point)
    return at, Mean(n, float(mean[0]), float(spread[0]))


def level_of_units(
    values: Array, *, summary: Summary, below: Array | None = None, share: float = 0.5, alpha: float = 0.05
) -> Interval | NotComputable:
    """The metric of one group of units, with its interval.

    Args:
        values: one number per unit; of a ratio the numerator.
        summary: share, mean, ratio or quantile.
        below: of a ratio the denominator.
        share: of a quantile.
        alpha: two-sided error rate of the interval.

    A quantile's interval has two of the values as limits, so that it holds for whole numbers too.
    """
    n = len(values)
    if n == 0:
        return NotComputable(Reason.NO_DATA)
    if summary is Summary.SHARE:
        return compare.wilson(round(float(values.sum())), n, alpha=alpha)
    if n < 2:
        return NotComputable(Reason.TOO_FEW_UNITS)
    if summary is Summary.QUANTILE:
        return _quantile_level(np.sort(values), share, alpha)
    mean: Mean | NotComputable
    if summary is Summary.RATIO and below is not None:
        centre = np.array([values.mean(), below.mean()])
        a, b = values - centre[0], below - centre[1]
        mean = ratio_of_sums(n, np.array([0.0, 0.0, a @ a, a @ b, b @ b]), centre)
    else:
        mean = Mean.from_values(values)
    if isinstance(mean, NotComputable):
        return mean
    half = float(stats.t.isf(alpha / 2, n - 1)) * mean.standard_error
    return Interval(mean.mean, mean.mean - half, mean.mean + half, 1 - alpha, "mean-interval")


def _quantile_level(values: Array, share: float, alpha: float) -> Interval | NotComputable:
    first, last = order_limits(len(values), share, alpha)
    if first < 1 or last > len(values):
        return NotComputable(Reason.NO_DENSITY)
    level = quantile_of_sorted(values, share)[0]
    return Interval(level, float(values[first - 1]), float(values[last - 1]), 1 - alpha, "order-statistics")


# Random halves of units, many times: by a hash of each unit with the split's number, as experiments assign.

AT_ONCE = 4_000_000  # entries of one block in memory
type Keys = NDArray[np.uint64]
type Halves = NDArray[np.bool_]


def halves(keys: Keys, splits: int, seed: int) -> Iterator[Halves]:
    """Blocks of splits x units, True for the second half; the same for a seed, whatever the order of the units.

    Args:
        keys: one unique number per unit, any 64 bits.
        splits: number of splits.
        seed: for all splits.
    """
    numbers = mixed(np.arange(splits, dtype=np.uint64) + mixed(np.array([seed], dtype=np.uint64)))
    block = max(1, AT_ONCE // max(len(keys), 1))
    for first in range(0, splits, block):
        drawn = mixed(keys[None, :] ^ numbers[first : first + block, None])
        yield (drawn >> np.uint64(63)).astype(bool)


def mixed(numbers: Keys) -> Keys:
    """Mix numbers so that every bit depends on every input bit. Source: SplitMix64, Steele, Lea and Flood 2014."""
    with np.errstate(over="ignore"):
        bits = numbers + np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))


# False alarms of a test on the values of untreated units: many random halves, one test each (A/A).
#
# Source: Kohavi, Tang and Xu 2020, chapter 19; the tests are those of docs/methods/comparison.md.

ALPHA = 0.05
FEWEST_UNITS = 100  # in all: fewer are too few for tests with large-sample errors
type Told = Callable[[float], None]
type Found = list[Estimate | NotComputable]


@dataclass(frozen=True)
class FalseAlarms:
    """How often a test found a difference where there is none.

    Attributes:
        alarms: splits whose p-value is below alpha.
        splits: splits with a test.
        untested: splits without one, for example two halves without any variation.
        n: units that were split.
        rate: alarms / splits with its Wilson interval, 0 to 1.
        alpha: of each test, two-sided.
    """

    alarms: int
    splits: int
    untested: int
    n: int
    rate: Interval
    alpha: float

    def among(self, metrics: int) -> Interval | NotComputable:
        """The rate with an interval from `rate_among`."""
        return rate_among(self.alarms, self.splits, metrics)

    def is_off(self, metrics: int = 1) -> bool:
        """True if that interval excludes alpha: p-values of this metric are not reliable."""
        rate = self.among(metrics)
        return isinstance(rate, Interval) and not rate.low <= self.alpha <= rate.high


def rate_among(alarms: int, splits: int, metrics: int) -> Interval | NotComputable:
    """A rate of false alarms with a Wilson interval that holds for so many metrics together, at 95 % (Bonferroni).

    One metric's interval excludes the planned rate for 1 sound metric in 20, so a catalogue of 40 would show two.

    Source: Wilson 1927; Dunn 1961 (Bonferroni's inequality for several intervals).
    """
    return compare.wilson(alarms, splits, alpha=0.05 / max(metrics, 1))


def false_alarms(
    values: Array,
    keys: Keys,
    *,
    summary: Summary,
    splits: int,
    seed: int,
    below: Array | None = None,
    share: float = 0.5,
    alpha: float = ALPHA,
    told: Told = lambda _share: None,
) -> FalseAlarms | NotComputable:
    """Split units into halves at random many times, and count how often their difference has p < alpha.

    Args:
        values: one number per unit; of a ratio the numerator.
        keys: one unique number per unit, any 64 bits.
        summary: share, mean, ratio or quantile.
        splits: number of halves to try.
        seed: of the halves.
        below: of a ratio the denominator.
        share: of a quantile.
        alpha: two-sided error rate of each test.
        told: progress callback, called with the share done, 0 to 1.

    Returns:
        The rate with its 95 % Wilson interval over splits that had a test. Splits share units, so that the interval is
        for the rate of *these* units, not of others.
    """
    check_alpha(alpha)
    if len(values) < FEWEST_UNITS:
        return NotComputable(Reason.TOO_FEW_VALUES, {"n": len(values), "needed": FEWEST_UNITS})
    if summary is Summary.QUANTILE:
        order = np.argsort(values, kind="stable")
        values, keys = values[order], keys[order]
    tests: Found = []
    for block in halves(keys, splits, seed):
        if summary is Summary.RATIO and below is not None:
            tests += _ratios(values, below, block, alpha)
        elif summary is Summary.QUANTILE:
            tests += _quantiles(values, block, share, alpha)
        else:
            tests += _means(values, block, alpha, whole=summary is Summary.SHARE)
        told(len(tests) / splits)
    return _rate(tests, len(values), alpha)


def _rate(tests: Found, n: int, alpha: float) -> FalseAlarms | NotComputable:
    tested = [test for test in tests if computable(test)]
    alarms = sum(test.p_value < alpha for test in tested)
    rate = compare.wilson(alarms, len(tested))
    if not computable(rate):
        return next(test for test in tests if not computable(test)) if tests else rate
    return FalseAlarms(alarms, len(tested), len(tests) - len(tested), n, rate, alpha)


def _sums(columns: Array, block: Halves) -> list[tuple[tuple[int, Array], tuple[int, Array]]]:
    """Number of units and column sums of both halves of each split."""
    sizes = block.sum(axis=1)
    second = block.astype(np.float64) @ columns
    first = columns.sum(axis=0) - second
    n = len(columns)
    return [
        ((n - int(m), one_sum), (int(m), other_sum)) for m, one_sum, other_sum in zip(sizes, first, second, strict=True)
    ]


def _means(values: Array, block: Halves, alpha: float, *, whole: bool) -> Found:
    """Compare the means of the halves; with `whole`, 0/1 values are counted, so that shares are exact."""
    if whole:
        return [
            compare.compare_proportions(*(Mean.from_counts(round(float(sums[0])), n) for n, sums in both), alpha=alpha)
            for both in _sums(values[:, None], block)
        ]
    centre = float(values.mean())
    columns = np.column_stack([values - centre, (values - centre) ** 2])
    return [
        compare.compare_means(*(mean_of_sums(n, sums, centre) for n, sums in both), alpha=alpha)
        for both in _sums(columns, block)
    ]


def _ratios(above: Array, below: Array, block: Halves, alpha: float) -> Found:
    """Compare the ratios of the halves, each linearised at its own point, as in experiments."""
    centre = np.array([above.mean(), below.mean()])
    a, b = above - centre[0], below - centre[1]
    tests: Found = []
    for both in _sums(np.column_stack([a, b, a * a, a * b, b * b]), block):
        first, second = (ratio_of_sums(n, sums, centre) for n, sums in both)
        if isinstance(first, NotComputable):
            tests.append(first)
        elif isinstance(second, NotComputable):
            tests.append(second)
        else:
            tests.append(compare.compare_unpooled(first, second, alpha=alpha))
    return tests


def _quantiles(values: Array, block: Halves, share: float, alpha: float) -> Found:
    """Compare a quantile of the halves of sorted values; without a density there is no error, as in experiments."""
    tests: Found = []
    for half in block:
        first, second = quantile_of_sorted(values[~half], share)[1], quantile_of_sorted(values[half], share)[1]
        if min(first.variance, second.variance) == 0:
            tests.append(NotComputable(Reason.NO_DENSITY))
        else:
            tests.append(compare.compare_means(first, second, alpha=alpha))
    return tests
