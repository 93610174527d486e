"""Restricted mean survival time: the average number of the first tau days that a unit stays."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from stats.compare import by_z
from stats.results import Estimate, NotComputable, Reason, check_alpha
from stats.survival.kaplan_meier import Durations, life_table


@dataclass(frozen=True)
class RestrictedMean:
    """Mean time until leaving, counted up to tau, of one group.

    Attributes:
        estimate: area under the Kaplan-Meier curve on [0, tau], in the unit of the times, 0 to tau.
        standard_error: of that estimate; it shrinks with the number of units. 0.0 when nobody left.
        low: lower limit, by z, not below 0.
        high: upper limit, not above tau.
        level: confidence level.
        tau: the horizon.
        n: units.
        left: units that left up to tau.
    """

    estimate: float
    standard_error: float
    low: float
    high: float
    level: float
    tau: float
    n: int
    left: int


def restricted_mean(durations: Durations, *, tau: float, alpha: float = 0.05) -> RestrictedMean | NotComputable:
    """Restricted mean survival time of one group.

    Args:
        durations: the group.
        tau: horizon fixed in the plan, above 0, in the unit of the times.
        alpha: two-sided error rate.

    Returns:
        Area under S on [0, tau] with Var = sum over event times t <= tau of [area from t to tau]^2 * d/(n(n-d)), a term
        with n = d being 0. ``BEYOND_FOLLOW_UP`` when no unit was observed until tau; ``TOO_FEW_UNITS`` below 2.
        This is not Var(min(T, tau)), the spread of one unit, which doesn't shrink with n.

    Raises:
        ValueError: unless tau is above 0.

    Source: Royston and Parmar 2013; Klein and Moeschberger 2003, section 4.5; docs/methods/survival.md.
    """
    check_alpha(alpha)
    if not 0 < tau < float("inf"):
        raise ValueError(f"tau must be a positive number, not {tau}")
    if durations.n < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": durations.n, "needed": 2})
    if tau > durations.follow_up:
        return NotComputable(Reason.BEYOND_FOLLOW_UP, {"time": tau, "follow_up": durations.follow_up})
    times, _, left, survival, hazard_variance = life_table(durations)
    inside = times <= tau
    edges = np.concatenate([[0.0], times[inside], [tau]])
    pieces = np.concatenate([[1.0], survival[inside]]) * np.diff(edges)
    # Areas from each event time to tau: the sum of the pieces that begin at or after it.
    rest = np.cumsum(pieces[::-1])[::-1][1:]
    area = float(pieces.sum())
    error = sqrt(float((rest**2 * hazard_variance[inside]).sum()))
    half = error * float(stats.norm.isf(alpha / 2))
    low, high = max(area - half, 0.0), min(area + half, tau)
    return RestrictedMean(area, error, low, high, 1 - alpha, tau, durations.n, int(left[inside].sum()))


def compare_restricted_means(
    control: Durations, variant: Durations, *, tau: float, alpha: float = 0.05
) -> Estimate | NotComputable:
    """Difference of the restricted means, by z.

    Args:
        control: durations of control.
        variant: durations of the variant.
        tau: horizon fixed in the plan, at most the smaller of both groups' longest follow-ups.
        alpha: two-sided error rate.

    Returns:
        Variant minus control in the unit of the times, positive when the variant stays longer. ``BEYOND_FOLLOW_UP``
        when tau is beyond one group's follow-up, ``NO_VARIANCE`` when nobody left before tau.

    Raises:
        ValueError: unless tau is above 0.

    Source: Royston and Parmar 2013; docs/methods/survival.md, "Restricted mean survival time".
    """
    control_mean, variant_mean = (restricted_mean(group, tau=tau, alpha=alpha) for group in (control, variant))
    if isinstance(control_mean, NotComputable):
        return control_mean
    if isinstance(variant_mean, NotComputable):
        return variant_mean
    error = sqrt(control_mean.standard_error**2 + variant_mean.standard_error**2)
    if error == 0:
        return NotComputable(Reason.NO_VARIANCE)
    return by_z(variant_mean.estimate - control_mean.estimate, error, alpha, "rmst-difference")
