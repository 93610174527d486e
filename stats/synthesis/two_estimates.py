"""The difference of two independent estimates."""

from math import hypot

from scipy import stats

from stats.results import Estimate, NotComputable, Reason, computable

METHOD = "difference of independent estimates"


def difference_of(
    first: Estimate | NotComputable, second: Estimate | NotComputable, *, alpha: float = 0.05
) -> Estimate | NotComputable:
    """First minus second, with a normal interval: the variances of independent estimates add up.

    Args:
        first, second: effects in one unit, from samples that were drawn independently.
        alpha: two-sided.

    Source: docs/methods/pooling.md, "Difference of two experiments"; Altman and Bland (2003), BMJ 326:219.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    for one in (first, second):
        if not computable(one):
            return one
    if not computable(first) or not computable(second):
        return NotComputable(Reason.NO_DATA)
    error = hypot(first.standard_error, second.standard_error)
    if error == 0:
        return NotComputable(Reason.NO_VARIANCE)
    effect = first.estimate - second.estimate
    half = float(stats.norm.isf(alpha / 2)) * error
    p_value = 2 * float(stats.norm.sf(abs(effect) / error))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, METHOD)
