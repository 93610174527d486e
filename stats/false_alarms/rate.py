"""False alarms of a test on the values of units that nothing was done to: many random halves, one test each (A/A).

Source: Kohavi, Tang and Xu 2020, chapter 19; the tests are those of docs/methods/comparison.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stats import compare
from stats.false_alarms.group_means import Summary, mean_of_sums, quantile_of_sorted, ratio_of_sums
from stats.false_alarms.halves import Halves, Keys, halves
from stats.results import Estimate, Interval, NotComputable, Reason, check_alpha, computable
from stats.summaries import Array, Mean

ALPHA = 0.05
FEWEST_UNITS = 100  # fewer in all say little of a test whose errors hold for many units
type Told = Callable[[float], None]
type Found = list[Estimate | NotComputable]


@dataclass(frozen=True)
class FalseAlarms:
    """How often a test called a difference where there is none.

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
        """The rate as `rate_among` has it."""
        return rate_among(self.alarms, self.splits, metrics)

    def is_off(self, metrics: int = 1) -> bool:
        """True where that interval excludes alpha: p-values of this metric aren't what they say."""
        found = self.among(metrics)
        return isinstance(found, Interval) and not found.low <= self.alpha <= found.high


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
        values: one number per unit; of a ratio what stands above the line.
        keys: one number per unit that tells it from others, any 64 bits.
        summary: share, mean, ratio or quantile.
        splits: number of halves to try.
        seed: of the halves.
        below: of a ratio what stands below the line.
        share: of a quantile.
        alpha: two-sided error rate of each test.
        told: hears the share done, 0 to 1.

    Returns:
        The rate with its 95 % Wilson interval over splits that had a test. Splits share units, so that the interval
        says how well the rate of *these* units is known, not of others.
    """
    check_alpha(alpha)
    if len(values) < FEWEST_UNITS:
        return NotComputable(Reason.TOO_FEW_VALUES, {"n": len(values), "needed": FEWEST_UNITS})
    if summary is Summary.QUANTILE:
        order = np.argsort(values, kind="stable")
        values, keys = values[order], keys[order]
    found: Found = []
    for block in halves(keys, splits, seed):
        if summary is Summary.RATIO and below is not None:
            found += _ratios(values, below, block, alpha)
        elif summary is Summary.QUANTILE:
            found += _quantiles(values, block, share, alpha)
        else:
            found += _means(values, block, alpha, whole=summary is Summary.SHARE)
        told(len(found) / splits)
    return _rate(found, len(values), alpha)


def _rate(found: Found, n: int, alpha: float) -> FalseAlarms | NotComputable:
    tested = [one for one in found if computable(one)]
    alarms = sum(one.p_value < alpha for one in tested)
    rate = compare.wilson(alarms, len(tested))
    if not computable(rate):
        return next(one for one in found if not computable(one)) if found else rate
    return FalseAlarms(alarms, len(tested), len(found) - len(tested), n, rate, alpha)


def _sums(columns: Array, block: Halves) -> list[tuple[tuple[int, Array], tuple[int, Array]]]:
    """Of both halves of each split: units, and the sums of the columns."""
    sizes = block.sum(axis=1)
    second = block.astype(np.float64) @ columns
    first = columns.sum(axis=0) - second
    n = len(columns)
    return [((n - int(m), one), (int(m), other)) for m, one, other in zip(sizes, first, second, strict=True)]


def _means(values: Array, block: Halves, alpha: float, *, whole: bool) -> Found:
    """Halves compared by their means; `whole` numbers are counted, so that a share is one exactly."""
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
    """Halves compared by their ratios, each linearised at its own point, as experiments do."""
    centre = np.array([above.mean(), below.mean()])
    a, b = above - centre[0], below - centre[1]
    found: Found = []
    for both in _sums(np.column_stack([a, b, a * a, a * b, b * b]), block):
        first, second = (ratio_of_sums(n, sums, centre) for n, sums in both)
        if isinstance(first, NotComputable):
            found.append(first)
        elif isinstance(second, NotComputable):
            found.append(second)
        else:
            found.append(compare.compare_unpooled(first, second, alpha=alpha))
    return found


def _quantiles(values: Array, block: Halves, share: float, alpha: float) -> Found:
    """Halves of sorted values compared by a quantile; where one has no density, neither has an error, as elsewhere."""
    found: Found = []
    for half in block:
        first, second = quantile_of_sorted(values[~half], share)[1], quantile_of_sorted(values[half], share)[1]
        if min(first.variance, second.variance) == 0:
            found.append(NotComputable(Reason.NO_DENSITY))
        else:
            found.append(compare.compare_means(first, second, alpha=alpha))
    return found
