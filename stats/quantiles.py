"""Difference of two quantiles from counts: the value, the density there, and a column whose mean is the quantile.

A quantile's error is that of a share divided by the density at the quantile. The density comes from two neighbouring
quantiles, so that no unit leaves the warehouse. Source: docs/methods/comparison.md, "Difference of quantiles".
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from stats.summaries import Array

ROUNDING = 1e-9  # .1 x 50 units are five, despite rounding of floats
LEVEL = 0.05  # the bandwidth is optimal for this level
# Units on the smaller side of the quantile. With five at least 94.6 % of 500 intervals covered on two skewed laws, with
# one or two 88 to 92 % (docs/methods/comparison.md).
LEAST_BEYOND = 5


@dataclass(frozen=True)
class QuantilePoint:
    """A group's quantile.

    Attributes:
        share: of units that don't exceed it, 0 to 1.
        value: the quantile.
        spread: one over the density there, in the value's unit; 0 if too many units have exactly this value for a
            density, or too few lie beyond it; the difference then has no error.
    """

    share: float
    value: float
    spread: float


def bandwidth(n: int, share: float) -> float:
    """Distance in shares from the quantile to its neighbouring quantiles on both sides.

    Source: Hall and Sheather 1988, as in R's quantreg `bandwidth.rq`; cut so that both stay inside 0 to 1.
    """
    z = float(stats.norm.ppf(share))
    density = float(stats.norm.pdf(z))
    curve = (1.5 * density**2 / (2 * z**2 + 1)) ** (1 / 3)
    width = n ** (-1 / 3) * float(stats.norm.isf(LEVEL / 2)) ** (2 / 3) * curve
    return float(min(width, share / 2, (1 - share) / 2))


def quantile_point(n: int, share: float, value: float, low: float, high: float, *, on: int) -> QuantilePoint:
    """The quantile of n units with its spread, from the quantiles one bandwidth to both sides.

    No spread if more units have exactly this value than one standard error of the share, sqrt(n p (1 - p)) of them:
    the neighbouring quantiles of whole numbers jump between 0 and 1 by luck, and 5 % tests alarmed in 11 to 22 %.

    Args:
        n: units.
        share: of them that don't exceed the quantile.
        value: the quantile.
        low, high: those one bandwidth below and above.
        on: units whose value is the quantile's.

    Source: Siddiqui 1960; docs/methods/comparison.md, "Difference of quantiles" (ties).
    """
    few = n * min(share, 1 - share) < LEAST_BEYOND - ROUNDING
    tied = on > sqrt(n * share * (1 - share)) + ROUNDING
    return QuantilePoint(share, value, 0.0 if few or tied else (high - low) / (2 * bandwidth(n, share)))


def order_limits(n: int, share: float, alpha: float) -> tuple[int, int]:
    """Ranks, 1 to n, of the sorted values between which the quantile lies with 1 - alpha or more, for any distribution.

    The first is 0 and the second n + 1 where that side has no limit.

    Source: Thompson 1936; David and Nagaraja 2003, section 7.1.
    """
    return int(stats.binom.ppf(alpha / 2, n, share)), int(stats.binom.isf(alpha / 2, n, share)) + 1


def linearised_quantile(below: Array, variance: Array, point: QuantilePoint) -> tuple[Array, Array]:
    """Means and variances of the column value - (at or below - share) * spread, per cell.

    Its mean over the whole group is the quantile, its variance that of the quantile times n, so that methods for means
    work for quantiles. Over some of the units it is one step from the group's quantile to theirs.

    Args:
        below: share of each cell's units at or below the value.
        variance: n-1 variance of that 0/1 column.
        point: of the group.

    Source: Bahadur 1966; Serfling 1980, section 2.5 (influence function of a quantile).
    """
    return np.asarray(point.value - (below - point.share) * point.spread), np.asarray(variance * point.spread**2)
