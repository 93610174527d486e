"""Ratios of sums: the column whose mean is the ratio, at a given point. Standardised over strata before dividing."""

from collections.abc import Sequence
from math import sqrt

import numpy as np

from stats.results import NotComputable, Reason
from stats.summaries import Array, Mean


def ratio_point(n: Array, means: Array) -> Array:
    """Mean numerator and mean denominator, the first two columns, of some cells; zeros when they have no units.

    Args:
        n: units per cell.
        means: cells x columns.
    """
    return np.asarray(n @ means[:, :2] / max(float(n.sum()), 1.0))


def linearised(means: Array, covariance: Array, point: Array) -> tuple[Array, Array]:
    """The cells with one column r + (M - r K) / K0 in the place of numerator M and denominator K.

    With r = M0 / K0 its mean at the point is the ratio and its variance that of the delta method. Strata are averaged
    in M and K first and divided then: averaging the strata's own ratios answers another question.

    Args:
        means: cells x columns, numerator and denominator first.
        covariance: their n-1 covariances, cells x columns x columns.
        point: M0 and K0, such as the standardised means of an arm. K0 = 0 leaves the numerator as it is.

    Source: Deng, Knoblich and Lu 2018; Miratrix, Sekhon and Yu 2013; METHODS 4.3.
    """
    columns = np.delete(np.eye(means.shape[1]), 1, axis=0)
    above, below = point.tolist()
    ratio = above / below if below else 0.0
    if below:
        columns[0, :2] = (1 / below, -ratio / below)
    changed = means @ columns.T
    changed[:, 0] += ratio
    return changed, columns @ covariance @ columns.T


def unit_sd(means: tuple[float, float], variances: tuple[float, float], covariance: float) -> float | NotComputable:
    """Standard deviation of one unit's part in a ratio of sums: what a size needs in the place of a mean's.

    Args:
        means: of numerator and denominator per unit.
        variances: of both; `covariance` between them.

    Source: Deng, Knoblich and Lu 2018; METHODS 4.3 (variance per unit), 4.10.
    """
    above, below = means
    if below == 0:
        return NotComputable(Reason.NO_DENOMINATOR)
    ratio = above / below
    variance = variances[0] - 2 * ratio * covariance + ratio**2 * variances[1]
    return sqrt(max(variance, 0.0)) / abs(below)


def standardised(strata: Sequence[Mean], shares: Sequence[float]) -> Mean:
    """One arm's strata as one summary whose mean and error are those of sum_k share_k mean_k.

    Args:
        strata: summaries of the linearised column, one per stratum; those without units carry no weight.
        shares: of all units, one per stratum.

    Source: METHODS 4.3 (the variance of r_g).
    """
    used = [(share, row) for share, row in zip(shares, strata, strict=True) if row.n]
    n = sum(row.n for _share, row in used)
    variance = sum(share**2 * row.variance / row.n for share, row in used)
    return Mean(n, float(sum(share * row.mean for share, row in used)), n * float(variance))
