"""Ratios of sums: linearised to a column whose mean is the ratio; standardised over strata before dividing."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from stats.compare import by_z
from stats.results import Estimate, NotComputable, Reason, check_alpha
from stats.summaries import Array, Joint, Mean


@dataclass(frozen=True)
class Mix:
    """The strata's shares of all units, used for standardisation, and the number of units they are estimated from.

    Attributes:
        shares: one per stratum, together 1.
        units: of all strata and arms.
    """

    shares: tuple[float, ...]
    units: float

    @classmethod
    def of(cls, sizes: Sequence[float]) -> "Mix":
        """The mix of strata with so many units."""
        units = sum(sizes)
        return cls(tuple(size / max(units, 1.0) for size in sizes), units)

    def part(self, places: Sequence[int]) -> "Mix":
        """The mix of some strata alone, estimated from the units in them."""
        return Mix.of([self.shares[place] * self.units for place in places])

    def errors(self, values: Array) -> Array:
        """Sampling covariance that estimated shares add to standardised values: sum_k share_k (x_k - x)(x_k - x)' / N.

        Without it an interval refers to the observed mix, not to the population that it was drawn from: where a
        fiftieth of the units carry the effect, the population's ratio was covered in 78 % of experiments.

        Args:
            values: strata x columns.

        Source: Miratrix, Sekhon and Yu 2013 (population against sample average effect); the variance of a multinomial
        mean; docs/methods/comparison.md, "Ratio delta method".
        """
        weights = np.array(self.shares)
        centred = values - weights @ values
        return np.asarray(centred.T @ (centred * weights[:, None]) / max(self.units, 1.0))


def ratio_point(n: Array, means: Array) -> Array:
    """Mean numerator and mean denominator (the first two columns) over some cells; zeros when they have no units.

    Args:
        n: units per cell.
        means: cells x columns.
    """
    return np.asarray(n @ means[:, :2] / max(float(n.sum()), 1.0))


def linearised(means: Array, covariance: Array, point: Array) -> tuple[Array, Array]:
    """The cells with one column r + (M - r K) / K0 in the place of numerator M and denominator K.

    With r = M0 / K0 its mean at the point is the ratio and its variance that of the delta method. Strata are averaged
    in M and K first and divided then: averaging the strata's own ratios estimates something else.

    Args:
        means: cells x columns, numerator and denominator first.
        covariance: their n-1 covariances, cells x columns x columns.
        point: M0 and K0, such as the standardised means of an arm. K0 = 0 leaves the numerator unchanged.

    Source: Deng, Knoblich and Lu 2018; Miratrix, Sekhon and Yu 2013; docs/methods/comparison.md, "Ratio delta method".
    """
    columns = np.delete(np.eye(means.shape[1]), 1, axis=0)
    above, below = point.tolist()
    ratio = above / below if below else 0.0
    if below:
        columns[0, :2] = (1 / below, -ratio / below)
    changed = means @ columns.T
    changed[:, 0] += ratio
    return changed, columns @ covariance @ columns.T


def mean_of_ratio(joint: Joint) -> Mean:
    """Summary of one group's ratio, from (numerator, denominator): linearised at its own means (`linearised`)."""
    means, covariance = linearised(joint.means[None, :], joint.covariance[None, :, :], joint.means[:2])
    return Mean(joint.n, float(means[0, 0]), max(float(covariance[0, 0, 0]), 0.0))


def unit_sd(means: tuple[float, float], variances: tuple[float, float], covariance: float) -> float | NotComputable:
    """Standard deviation of one unit's contribution to a ratio of sums, for sample sizes, in place of a mean's.

    Args:
        means: of numerator and denominator per unit.
        variances: of both; `covariance` between them.

    Source: Deng, Knoblich and Lu 2018; docs/methods/comparison.md, "Ratio delta method" (variance per unit).
    """
    above, below = means
    if below == 0:
        return NotComputable(Reason.NO_DENOMINATOR)
    ratio = above / below
    variance = variances[0] - 2 * ratio * covariance + ratio**2 * variances[1]
    return sqrt(max(variance, 0.0)) / abs(below)


def standardised(strata: Sequence[Mean], mix: Mix, *, of_population: bool = True) -> Mean:
    """One arm's strata as one summary whose mean and error are those of sum_k share_k mean_k.

    Args:
        strata: summaries of the linearised column, one per stratum; those without units carry no weight.
        mix: the target shares.
        of_population: whether the error includes the mix's; False for these units only.

    Source: docs/methods/comparison.md, "Ratio delta method" (the variance of r_g).
    """
    used = [place for place, row in enumerate(strata) if row.n]
    rows, shares = [strata[place] for place in used], [mix.shares[place] for place in used]
    n = sum(row.n for row in rows)
    variance = sum(share**2 * row.variance / row.n for share, row in zip(shares, rows, strict=True))
    if of_population and rows:
        variance += float(mix.part(used).errors(np.array([[row.mean] for row in rows]))[0, 0])
    return Mean(n, float(sum(share * row.mean for share, row in zip(shares, rows, strict=True))), n * float(variance))


def standardised_difference(
    strata: Sequence[tuple[Mean, Mean]], mix: Mix, *, alpha: float = 0.05
) -> Estimate | NotComputable:
    """Difference of both arms' standardised columns, variant minus control, in the population.

    Args:
        strata: (control, variant) of the linearised column, one per stratum.
        mix: the target shares; their error is that of the strata's differences, which both arms share.
        alpha: two-sided error rate.

    Returns:
        By z. Strata without units in an arm give no difference and no part in the mix's error.

    Source: docs/methods/comparison.md, "Ratio delta method"; Miratrix, Sekhon and Yu 2013.
    """
    check_alpha(alpha)
    control, variant = (standardised([pair[arm] for pair in strata], mix, of_population=False) for arm in (0, 1))
    if (n := min(control.n, variant.n)) < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": n, "needed": 2})
    both = [place for place, (c, v) in enumerate(strata) if c.n and v.n]
    gaps = np.array([[strata[place][1].mean - strata[place][0].mean] for place in both])
    variance = control.variance / control.n + variant.variance / variant.n
    variance += float(mix.part(both).errors(gaps)[0, 0]) if both else 0.0
    if variance <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    return by_z(variant.mean - control.mean, sqrt(variance), alpha, "unpooled-z")
