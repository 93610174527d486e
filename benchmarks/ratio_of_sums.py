"""The difference of two ratios of sums, such as clicks per view, as the analysis of an experiment computes it."""

from stats.compare import compare_unpooled
from stats.ratios import linearised
from stats.results import Estimate, NotComputable
from stats.summaries import Joint, Mean


def ratio_difference(control: Joint, variant: Joint) -> Estimate | NotComputable:
    """Variant minus control, from the moments of (numerator, denominator) per unit."""
    arms = []
    for arm in (control, variant):
        means, covariance = linearised(arm.means[None], arm.covariance[None], arm.means)
        arms.append(Mean(arm.n, float(means[0, 0]), max(float(covariance[0, 0, 0]), 0.0)))
    return compare_unpooled(*arms)
