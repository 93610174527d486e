"""Combine several estimates: differences, ratios, and means with random effects."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
from scipy import optimize, special, stats

from stats.heterogeneity import variance_between
from stats.results import Estimate, Interval, NotComputable, Reason, check_alpha, computable
from stats.summaries import Array

# Random-effects mean, and a prediction interval for the effect of the next experiment.

FEWEST = 3
GRID, RANDOM_EFFECTS_ROUNDS, SPREADS = 400, 3, 200


@dataclass(frozen=True)
class RandomEffects:
    """Mean and spread of the experiments' effects.

    Attributes:
        mean: average effect, Hartung-Knapp interval.
        prediction: the same estimate with a prediction interval for the true effect of one more experiment.
        spread: standard deviation of the true effects between experiments, by restricted likelihood.
        experiments: how many were used.
    """

    mean: Interval
    prediction: Interval
    spread: float
    experiments: int


def random_effects(
    effects: Sequence[float], errors: Sequence[float], *, alpha: float = 0.05
) -> RandomEffects | NotComputable:
    """Random-effects mean with Hartung-Knapp interval, t with k - 1 degrees of freedom, and the next one's interval.

    The usual prediction interval takes the spread as known: with 8 to 20 experiments whose errors are as large as the
    spread it covered 85 to 92 %. Here the spread's own uncertainty is averaged over (flat prior): 94 % or more.

    Args:
        effects: independent estimates of at least three experiments.
        errors: their standard errors, above 0.
        alpha: two-sided error rate.

    Source: Viechtbauer 2005 (REML, which statsmodels' ``combine_effects`` doesn't have); Hartung and Knapp 2001, never
    narrower than the plain error (Roever et al. 2015); Higgins, Thompson and Spiegelhalter 2009 (prediction).
    """
    check_alpha(alpha)
    k = len(effects)
    if k < FEWEST:
        return NotComputable(Reason.TOO_FEW_TO_POOL, {"n": k, "needed": FEWEST})
    y, s = np.asarray(effects, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if (s <= 0).any():
        return NotComputable(Reason.NO_VARIANCE)
    mean, spread, plain = restricted_likelihood(y, s)
    scale = float(((y - mean) ** 2 / (s**2 + spread**2)).sum()) / (k - 1)
    error = plain * sqrt(max(scale, 1.0))
    half = float(stats.t.isf(alpha / 2, k - 1)) * error
    low, high = predicted(y, s, alpha)
    return RandomEffects(
        Interval(mean, mean - half, mean + half, 1 - alpha, "hartung-knapp"),
        # The prediction interval is never narrower than the mean's.
        Interval(mean, min(low, mean - half), max(high, mean + half), 1 - alpha, "prediction-interval"),
        spread,
        k,
    )


def predicted(effects: Array, errors: Array, alpha: float) -> tuple[float, float]:
    """Prediction limits for the true effect of one more experiment, with a flat prior on spread and mean.

    A mixture over spreads, weighted by their restricted likelihood, of N(mean, error^2 + spread^2).

    Source: Higgins, Thompson and Spiegelhalter 2009; Roever 2020 (bayesmeta).
    """
    share = (np.arange(SPREADS) + 0.5) / SPREADS
    size = float(np.median(errors)) + float(np.ptp(effects)) / 2
    spreads = size * share / (1 - share)
    loss, mean, weight = _profile(effects, errors, spreads)
    # Even steps of `share` are steps of size / (1 - share)^2 of the spread.
    chance = np.exp(-(loss - loss.min()) / 2) / (1 - share) ** 2
    chance /= chance.sum()
    deviation = np.sqrt(1 / weight + spreads**2)

    def below(x: float, at: float) -> float:
        return float(chance @ special.ndtr((x - mean) / deviation)) - at

    far = float((np.abs(mean) + 40 * deviation).max())
    low, high = (optimize.brentq(below, -far, far, args=(at,)) for at in (alpha / 2, 1 - alpha / 2))
    return float(low), float(high)


def restricted_likelihood(effects: Array, errors: Array) -> tuple[float, float, float]:
    """Mean, standard deviation between experiments, and standard error of the mean, by restricted likelihood.

    Args:
        effects: independent estimates.
        errors: their standard errors, above 0.

    Source: Viechtbauer 2005, equation 9.
    """
    low, high = 0.0, float(np.ptp(effects))
    # Given the spread, the mean is a weighted mean, so one dimension is left. Its likelihood may have two maxima, where
    # a bisection could find the wrong one; a grid, refined twice, can't.
    for _ in range(RANDOM_EFFECTS_ROUNDS):
        grid = np.linspace(low, high, GRID)
        loss, mean, weight = _profile(effects, errors, grid)
        best = int(loss.argmin())
        low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, GRID - 1)])
    return float(mean[best]), float(grid[best]), float(weight[best]) ** -0.5


def _profile(effects: Array, errors: Array, spreads: Array) -> tuple[Array, Array, Array]:
    """-2 log restricted likelihood of each spread, the mean given it, and the mean's weight."""
    variance = spreads[:, None] ** 2 + errors**2
    weight = (1 / variance).sum(axis=1)
    mean = (effects / variance).sum(axis=1) / weight
    # log(weight) accounts for estimating the mean
    loss = (np.log(variance) + (effects - mean[:, None]) ** 2 / variance).sum(axis=1) + np.log(weight)
    return loss, mean, weight


# Ratios of two estimates, with errors that don't shrink with a ratio that is small by chance.

RATIOS_AT_POOL_ROUNDS = 2
# A promise is moved at most to half or twice its value, however far its finding lies from the pooled ratio.
MOST_MOVED = 2.0


@dataclass(frozen=True, eq=False)
class Ratios:
    """Ratios ready to be pooled.

    Attributes:
        values: found / promised, linear in the found and the promised value at the pooled ratio; no unit.
        errors: their standard errors at the pooled ratio.
    """

    values: Array
    errors: Array


def ratios_at_pool(found: Array, found_errors: Array, promised: Array, promised_errors: Array) -> Ratios:
    """Ratios found / promised, with errors computed at the pooled ratio.

    By the delta method a ratio's variance is s_f^2 / p^2 + f^2 s_p^2 / p^4: it contains the ratio itself, so that small
    ratios get small errors and the largest weights. Here the promise's part is computed at the pooled ratio r, in two
    rounds: variance (s_f^2 + r^2 s_p^2) / q^2 of the ratio r + (f - r p) / q. p in the denominator would have the same
    problem, since a promise too large by luck has a small ratio and a large weight; so q estimates the promise from
    both promise and finding at r, which is uncorrelated with f - r p: (p v + r f s_p^2) / (v + r^2 s_p^2), v = s_f^2
    and the spread of true ratios. Where promises are known exactly, q = p and the values are the plain ratios.

    Args:
        found: k findings, of any sign; `found_errors` their standard errors, above 0.
        promised: what was promised for each, above 0, in the same unit; `promised_errors` 0 or more.

    Source: Fuller 1987, section 1.2 (errors in both variables: the estimated true value); DerSimonian and Laird 1986
    (spread between rounds). Simulated: `benchmarks/audit_04/price.py`.
    """
    ratio, spread = float(found.sum() / promised.sum()), 0.0
    values, errors = found / promised, found_errors / promised
    for _round in range(RATIOS_AT_POOL_ROUNDS):
        of_finding = found_errors**2 + spread * promised**2
        of_promise = promised_errors**2
        best = (promised * of_finding + ratio * found * of_promise) / (of_finding + ratio**2 * of_promise)
        best = np.clip(best, promised / MOST_MOVED, promised * MOST_MOVED)
        values = ratio + (found - ratio * promised) / best
        errors = np.sqrt(found_errors**2 + ratio**2 * of_promise) / best
        spread = variance_between(values, errors**2) if len(values) > 1 else 0.0
        weights = 1 / (errors**2 + spread)
        ratio = float((weights * values).sum() / weights.sum())
    return Ratios(values, errors)


# The difference of two independent estimates.

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
    for estimate in (first, second):
        if not computable(estimate):
            return estimate
    if not computable(first) or not computable(second):
        return NotComputable(Reason.NO_DATA)
    error = hypot(first.standard_error, second.standard_error)
    if error == 0:
        return NotComputable(Reason.NO_VARIANCE)
    effect = first.estimate - second.estimate
    half = float(stats.norm.isf(alpha / 2)) * error
    p_value = 2 * float(stats.norm.sf(abs(effect) / error))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, METHOD)
