"""Log-rank test of two groups on counts, within strata, and whether the survival curves cross."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from stats.results import NotComputable, Reason, check_alpha
from stats.summaries import Array
from stats.survival.kaplan_meier import ROUNDING, Durations, life_table

type Pair = tuple[Durations, Durations]


@dataclass(frozen=True)
class LogRank:
    """Log-rank test of one variant against control.

    Attributes:
        statistic: chi-square statistic.
        degrees_of_freedom: 1 for two groups.
        p_value: upper tail, 0 to 1.
        observed: units of the variant that left.
        expected: expected number under equal hazards of both groups. Fewer observed than
            expected: the variant stays longer.
        strata: number of strata with units of both groups at risk when somebody left.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float
    observed: float
    expected: float
    strata: int


@dataclass(frozen=True)
class Crossing:
    """Whether two survival curves cross. Descriptive, not a test.

    Attributes:
        crosses: each curve lies above the other at some time. Noise alone often does that.
        clearly: each lies above the other by more than the pointwise interval at some time. Log-rank and a single RMST
            difference then hide that the effect changes its sign.
        ahead: largest lead of the variant, a share, at least 0.
        behind: largest lead of control, a share, at least 0.
    """

    crosses: bool
    clearly: bool
    ahead: float
    behind: float


def stratified_log_rank(strata: Sequence[Pair]) -> LogRank | NotComputable:
    """Log-rank test within strata: observed, expected and variance are summed over strata, then compared.

    Args:
        strata: (control, variant) per segment. A stratum without units in one group carries no weight.

    Source: Mantel 1966; Peto et al. 1977; docs/methods/survival.md, "Log-rank test".
    """
    sums = np.array([_observed_expected_variance(pair) for pair in strata], dtype=np.float64).reshape(-1, 3)
    used = sums[sums[:, 2] > 0]
    if not len(used):
        return NotComputable(Reason.NO_EVENTS)
    observed, expected, variance = used.sum(axis=0).tolist()
    statistic = (observed - expected) ** 2 / variance
    return LogRank(statistic, 1, float(stats.chi2.sf(statistic, 1)), observed, expected, len(used))


def curves_cross(control: Durations, variant: Durations, *, alpha: float = 0.05) -> Crossing | NotComputable:
    """Whether the two Kaplan-Meier curves cross while both groups are observed.

    Args:
        control: durations of control.
        variant: durations of the variant.
        alpha: two-sided error rate of the pointwise differences behind ``clearly``.

    Returns:
        ``NotComputable(NO_DATA)`` when a group is empty.

    Source: docs/methods/survival.md, "Log-rank test"; errors by Greenwood 1926.
    """
    check_alpha(alpha)
    if control.n == 0 or variant.n == 0:
        return NotComputable(Reason.NO_DATA)
    end = min(control.follow_up, variant.follow_up)
    times = np.union1d(control.times[control.events > 0], variant.times[variant.events > 0])
    times = times[times <= end]
    (zero, zero_variance), (one, one_variance) = (_survival(group, times) for group in (control, variant))
    gap = one - zero
    gap[np.abs(gap) <= ROUNDING] = 0.0
    beyond = np.abs(gap) > float(stats.norm.isf(alpha / 2)) * np.sqrt(zero_variance + one_variance)
    # At 1 and at 0 Greenwood's error is 0, even for a single unit: nothing is significant there.
    beyond &= (zero > 0) & (one > 0) & (zero < 1) & (one < 1)
    clearly = bool((beyond & (gap > 0)).any() and (beyond & (gap < 0)).any())
    ahead, behind = max(float(gap.max(initial=0.0)), 0.0), max(float((-gap).max(initial=0.0)), 0.0)
    return Crossing(ahead > 0 and behind > 0, clearly, ahead, behind)


def _observed_expected_variance(pair: Pair) -> tuple[float, float, float]:
    """Events of the variant, their hypergeometric mean and variance, summed over times with both groups at risk."""
    control, variant = pair
    times = np.union1d(control.times[control.events > 0], variant.times[variant.events > 0])
    at_risk = [np.array(group.at_risk(times), dtype=np.float64) for group in (control, variant)]
    mine = variant.events_at(times).astype(np.float64)
    left = control.events_at(times) + mine
    n = at_risk[0] + at_risk[1]
    share = at_risk[1] / n
    # Shares before products: n0*n1*d*(n-d) of millions of units overflows integers. With n = 1 the variance is 0.
    variance = share * (1 - share) * left * ((n - left) / np.maximum(n - 1, 1))
    return float(mine.sum()), float((left * share).sum()), float(variance.sum())


def _survival(group: Durations, times: Array) -> tuple[Array, Array]:
    """S and Greenwood's variance of it just after each time."""
    at, _, _, survival, hazard_variance = life_table(group)
    place = np.searchsorted(at, times, side="right")
    s = np.concatenate([[1.0], survival])[place]
    return s, s**2 * np.concatenate([[0.0], np.cumsum(hazard_variance)])[place]
