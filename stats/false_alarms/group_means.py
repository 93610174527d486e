"""A group of units as one mean with its error, whatever the metric: a mean, a ratio or a quantile, linearised."""

from enum import StrEnum
from math import ceil

import numpy as np
from scipy import stats

from stats import compare
from stats.quantiles import bandwidth, linearised_quantile, order_limits, quantile_point
from stats.ratios import linearised
from stats.results import Interval, NotComputable, Reason
from stats.summaries import Array, Mean

ROUNDING = 1e-9  # of a share: .1 x 10 units is one unit, whatever floats make of it


class Summary(StrEnum):
    """How a metric is summarised, and with it which test compares two groups."""

    SHARE = "share"
    MEAN = "mean"
    RATIO = "ratio"
    QUANTILE = "quantile"


def mean_of_sums(n: int, sums: Array, centre: float) -> Mean:
    """The mean of a group from sums of its values minus a centre, and of their squares.

    The centre is the mean of all units, so that squares don't drown what differs.
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
    """The quantile of sorted values, and as a mean that experiments compare. Source: docs/methods/comparison.md."""
    n = len(values)
    if n < 2:
        found = float(values[0]) if n else 0.0
        return found, Mean(n, found, 0.0)
    width = bandwidth(n, share)
    around = (share, share - width, share + width)
    at, low, high = (float(values[max(ceil(n * (one - ROUNDING)) - 1, 0)]) for one in around)
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
        values: one number per unit; of a ratio what stands above the line.
        summary: share, mean, ratio or quantile.
        below: of a ratio what stands below the line.
        share: of a quantile.
        alpha: two-sided error rate of the interval.

    A quantile's interval lies between two of the values, so that it holds for whole numbers too.
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
    found: Mean | NotComputable
    if summary is Summary.RATIO and below is not None:
        centre = np.array([values.mean(), below.mean()])
        a, b = values - centre[0], below - centre[1]
        found = ratio_of_sums(n, np.array([0.0, 0.0, a @ a, a @ b, b @ b]), centre)
    else:
        found = Mean.from_values(values)
    if isinstance(found, NotComputable):
        return found
    half = float(stats.t.isf(alpha / 2, n - 1)) * found.standard_error
    return Interval(found.mean, found.mean - half, found.mean + half, 1 - alpha, "mean-interval")


def _quantile_level(values: Array, share: float, alpha: float) -> Interval | NotComputable:
    first, last = order_limits(len(values), share, alpha)
    if first < 1 or last > len(values):
        return NotComputable(Reason.NO_DENSITY)
    level = quantile_of_sorted(values, share)[0]
    return Interval(level, float(values[first - 1]), float(values[last - 1]), 1 - alpha, "order-statistics")
