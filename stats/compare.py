"""Comparison of two groups: proportions, means, relative lift. Always variant minus control."""

import logging
from math import exp, log, sqrt

from scipy import stats

from stats.results import Estimate, Interval, NotComputable, Reason, check_alpha
from stats.score import newcombe_limits, score_interval, score_z, wilson_limits
from stats.summaries import Joint, Mean

SMALL_EXPECTED_COUNT = 5
# Boschloo's test examines every table with the same group sizes; beyond this many it would take seconds.
LARGEST_EXACT_TABLE = 50_000


def compare_proportions(control: Mean, variant: Mean, *, alpha: float = 0.05) -> Estimate | NotComputable:
    """Difference of two shares: pooled z (the score test) with the score interval dual to it.

    p < alpha exactly if 0 lies outside the interval, except where an expected count is below 5: there the p-value is
    exact (Boschloo; Fisher when the groups are too large for it) and the interval stays the score interval.

    Args:
        control: summary of 0/1 values.
        variant: summary of 0/1 values.
        alpha: two-sided error rate.

    Returns:
        The difference of shares (-1 to 1), positive when the variant's is higher. Its standard error is the unpooled
        one with divisor n. Groups without any variation give the interval, standard error 0 and p = 1 when equal.

    Source: Mee 1984; Boschloo 1970; Fagerland, Lydersen and Laake 2015.
    """
    check_alpha(alpha)
    missing = _too_few(control, variant) or _not_shares(control, variant)
    if missing:
        return missing
    successes, n = (control.successes, variant.successes), (control.n, variant.n)
    p0, p1 = (x / size for x, size in zip(successes, n, strict=True))
    low, high = score_interval(successes, n, alpha=alpha)
    pooled = sum(successes) / sum(n)
    if 0 < pooled < 1 and min(n) * min(pooled, 1 - pooled) < SMALL_EXPECTED_COUNT:
        p_value, method = _exact_p(successes, n)
    else:
        p_value, method = 2 * float(stats.norm.sf(abs(score_z(successes, n, 0.0)))), "score-interval"
    error = sqrt(p1 * (1 - p1) / n[1] + p0 * (1 - p0) / n[0])
    return Estimate(p1 - p0, error, low, high, min(p_value, 1.0), 1 - alpha, method)


def compare_means(control: Mean, variant: Mean, *, alpha: float = 0.05) -> Estimate | NotComputable:
    """Difference of two means by Welch's t, with the Welch-Satterthwaite degrees of freedom.

    Source: Welch 1947.
    """
    check_alpha(alpha)
    missing = _too_few(control, variant) or _no_variance(control, variant)
    if missing:
        return missing
    error, df = _welch(control, variant)
    effect = variant.mean - control.mean
    half = error * float(stats.t.isf(alpha / 2, df))
    p_value = 2 * float(stats.t.sf(abs(effect) / error, df))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, "welch-t")


def compare_unpooled(control: Mean, variant: Mean, *, alpha: float = 0.05) -> Estimate | NotComputable:
    """Difference by the unpooled z with its Wald interval: the ITT test of an encouragement analysis.

    It rejects exactly when the Anderson-Rubin set excludes 0, so that p-value and set can't contradict each other.

    Source: Angrist, Imbens and Rubin 1996; docs/methods/encouragement.md, "Unpooled z".
    """
    check_alpha(alpha)
    missing = _too_few(control, variant) or _no_variance(control, variant)
    if missing:
        return missing
    error = sqrt(control.variance / control.n + variant.variance / variant.n)
    return by_z(variant.mean - control.mean, error, alpha, "unpooled-z")


def wilson(successes: int, n: int, *, alpha: float = 0.05) -> Interval | NotComputable:
    """Wilson score interval of one share, 0 to 1. ``NotComputable`` when n is 0.

    Source: Wilson 1927.
    """
    check_alpha(alpha)
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n, not {successes} of {n}")
    if n == 0:
        return NotComputable(Reason.NO_DATA)
    low, high = wilson_limits(successes, n, alpha=alpha)
    return Interval(successes / n, float(low), float(high), 1 - alpha, "wilson-interval")


def newcombe_interval(control: Mean, variant: Mean, *, alpha: float = 0.05) -> Interval | NotComputable:
    """Newcombe's hybrid score interval of the difference of two shares, from their Wilson limits.

    Source: Newcombe 1998, method 10.
    """
    check_alpha(alpha)
    missing = _not_shares(control, variant)
    if missing:
        return missing
    if min(control.n, variant.n) == 0:
        return NotComputable(Reason.NO_DATA)
    low, high = newcombe_limits((variant.successes, variant.n), (control.successes, control.n), alpha=alpha)
    difference = variant.successes / variant.n - control.successes / control.n
    return Interval(difference, float(low), float(high), 1 - alpha, "newcombe-interval")


def lift(
    control: Mean, variant: Mean, *, alpha: float = 0.05, critical: float | None = None
) -> Interval | NotComputable:
    """Relative lift, variant mean / control mean - 1, with its own interval and no p-value of its own.

    * Shares: Katz's log interval, whenever both have a success.
    * Means: the log interval when both are positive and distinguishable from 0 at this level; otherwise Fieller's,
      as long as the control mean is positive and distinguishable from 0.
    * Otherwise there is no lift: the reason names the mean that is the cause.

    Args:
        control: summary of control.
        variant: summary of the variant.
        alpha: two-sided error rate.
        critical: two-sided critical value at this rate if the errors aren't normal, as with clusters; None for the
            normal quantile.

    Returns:
        The lift, 0.1 = 10 % more than control.

    Source: Katz et al. 1978; Fieller 1954; docs/methods/comparison.md, "Log lift".
    """
    check_alpha(alpha)
    missing = _too_few(control, variant)
    if missing:
        return missing
    shares = control.is_proportion and variant.is_proportion
    v_c, v_t = (_mean_variance(group, share=shares) for group in (control, variant))
    c, t = control.mean, variant.mean
    q = (float(stats.norm.isf(alpha / 2)) if critical is None else critical) ** 2
    if c < 0 or (shares and c > 0 and t == 0):
        return NotComputable(Reason.MEANS_NOT_POSITIVE)
    if c == 0 or (not shares and c**2 <= q * v_c):
        return NotComputable(Reason.CONTROL_MEAN_NEAR_ZERO)
    if t > 0 and (shares or t**2 > q * v_t):
        half = sqrt(q * (v_t / t**2 + v_c / c**2))
        return Interval(t / c - 1, exp(log(t / c) - half) - 1, exp(log(t / c) + half) - 1, 1 - alpha, "log-lift")
    a = c**2 - q * v_c
    root = sqrt(max(q * (t**2 * v_c + c**2 * v_t - q * v_c * v_t), 0.0))
    return Interval(t / c - 1, (t * c - root) / a - 1, (t * c + root) / a - 1, 1 - alpha, "fieller-lift")


def by_z(effect: float, error: float, alpha: float, method: str) -> Estimate:
    """An effect with its interval and two-sided p-value by z, from a standard error above 0."""
    half = error * float(stats.norm.isf(alpha / 2))
    p_value = 2 * float(stats.norm.sf(abs(effect) / error))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, method)


def _welch(control: Mean, variant: Mean) -> tuple[float, float]:
    c, t = control.variance / control.n, variant.variance / variant.n
    # Shares of the total instead of squares of it: v^2 of tiny variances would underflow to 0/0.
    df = 1 / ((c / (c + t)) ** 2 / (control.n - 1) + (t / (c + t)) ** 2 / (variant.n - 1))
    return sqrt(c + t), df


def _exact_p(successes: tuple[int, int], n: tuple[int, int]) -> tuple[float, str]:
    table = [list(successes), [n[0] - successes[0], n[1] - successes[1]]]
    if (n[0] + 1) * (n[1] + 1) <= LARGEST_EXACT_TABLE:
        return _boschloo_p(table), "boschloo-exact"
    return float(stats.fisher_exact(table).pvalue), "fisher-exact"


def _boschloo_p(table: list[list[int]]) -> float:
    # SciPy's global optimiser reports its progress to the root logger, once per table.
    previous = logging.root.manager.disable
    logging.disable(max(previous, logging.INFO))
    try:
        return float(stats.boschloo_exact(table).pvalue)
    finally:
        logging.disable(previous)


def _mean_variance(group: Mean, *, share: bool) -> float:
    return group.mean * (1 - group.mean) / group.n if share else group.variance / group.n


def _too_few(control: Mean | Joint, variant: Mean | Joint) -> NotComputable | None:
    n = min(control.n, variant.n)
    return NotComputable(Reason.TOO_FEW_UNITS, {"n": n, "needed": 2}) if n < 2 else None


def _no_variance(control: Mean, variant: Mean) -> NotComputable | None:
    return NotComputable(Reason.NO_VARIANCE) if control.variance + variant.variance == 0 else None


def _not_shares(control: Mean, variant: Mean) -> NotComputable | None:
    shares = control.is_proportion and variant.is_proportion
    return None if shares else NotComputable(Reason.NOT_A_PROPORTION)
