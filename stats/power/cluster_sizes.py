"""Design effect of assigning clusters: their size distribution and intraclass correlation, measured on past data."""

from dataclasses import dataclass
from math import sqrt

from scipy import stats

from stats.results import NotComputable, Reason, check_alpha
from stats.summaries import Values, finite_array


@dataclass(frozen=True)
class ClusterLaw:
    """Sizes and intraclass correlation of past clusters.

    Attributes:
        clusters: how many there were, with at least one unit each; `units` in them.
        mean_size: units per cluster.
        variation: coefficient of variation of the sizes, sd / mean; 0 for equal ones.
        correlation: intraclass correlation of the outcome by the analysis of variance; below 0 if clusters differ less
            than by chance.
        low, high: limits of it; `level` of this interval.
    """

    clusters: int
    units: int
    mean_size: float
    variation: float
    correlation: float
    low: float
    high: float
    level: float = 0.95

    @property
    def design_effect(self) -> float:
        """The design effect of a plan with such clusters; a negative correlation counts as 0."""
        return design_effect(self.mean_size, self.variation, max(self.correlation, 0.0))


def design_effect(mean_size: float, variation: float, correlation: float) -> float:
    """Units needed as a multiple of those of independent units: 1 + ((1 + cv^2) m - 1) rho.

    With known sizes it equals Kish's 1 + (sum n^2 / sum n - 1) rho, the design effect of means of units.

    Source: Donner and Klar 2000, chapter 5 (equal sizes); Eldridge, Ashby and Kerry 2006 (coefficient of variation).
    """
    return 1 + ((1 + variation**2) * mean_size - 1) * correlation


def cluster_law(n: Values, means: Values, variances: Values, *, alpha: float = 0.05) -> ClusterLaw | NotComputable:
    """Sizes and intraclass correlation from the moments of each cluster.

    With MSB and MSW the mean squares between and within k clusters, and n0 = (N - sum n^2 / N) / (k - 1):
    rho = (MSB - MSW) / (MSB + (n0 - 1) MSW). The interval takes F = MSB / MSW as if all clusters had n0 units.

    Args:
        n: units per cluster, at least 1.
        means: of the outcome (a share's is the share of ones).
        variances: n-1 variances; 0 where n is 1.
        alpha: two-sided error rate of the interval.

    Source: Donner 1986; Donner and Klar 2000, chapter 1 (shares, too); Searle 1971, chapter 9 (interval).
    """
    check_alpha(alpha)
    sizes, levels, spreads = (finite_array(values, dimensions=1) for values in (n, means, variances))
    clusters, units = len(sizes), float(sizes.sum())
    if clusters < 2:
        return NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": clusters, "needed": 2})
    if units <= clusters:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": int(units), "needed": clusters + 1})
    between = float((sizes * (levels - levels @ sizes / units) ** 2).sum()) / (clusters - 1)
    within = float(((sizes - 1) * spreads).sum()) / (units - clusters)
    if within <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    typical = (units - float((sizes**2).sum()) / units) / (clusters - 1)

    def likeness(ratio: float) -> float:
        return (ratio - 1) / (ratio + typical - 1)

    law, ratio = stats.f(clusters - 1, units - clusters), between / within
    return ClusterLaw(
        clusters=clusters,
        units=int(units),
        mean_size=units / clusters,
        variation=sqrt(float(sizes.var())) / (units / clusters),
        correlation=likeness(ratio),
        low=likeness(ratio / float(law.isf(alpha / 2))),
        high=likeness(ratio / float(law.ppf(alpha / 2))),
        level=1 - alpha,
    )
