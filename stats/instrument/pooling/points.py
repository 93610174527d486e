"""Point estimates of the pooled effect whose errors hold with many weak nudges: LIML and JIVE, from moments."""

from math import sqrt

import numpy as np
from scipy import stats

from stats.instrument.pooling.stack import Stack
from stats.results import Estimate, NotComputable, Reason
from stats.summaries import Array


def liml(stack: Stack, best: float, *, alpha: float) -> Estimate | NotComputable:
    """The effect with the smallest Anderson-Rubin statistic, with its error for many weak instruments.

    With variances alike but for size this is LIML; else the continuously updated estimate, LIML's robust version. The
    error is I^(1/2) / (I - T), I = D' V^-1 D the information as it looks, T = tr(V^-1 Var D) what chance adds to it.

    Args:
        stack: the instruments.
        best: angle of the minimum.
        alpha: two-sided error rate.

    Returns:
        The estimate, or ``WEAK_FIRST_STAGE`` when chance explains all information.

    Source: Anderson and Rubin 1949; Hansen, Heaton and Yaron 1996; Newey and Windmeijer 2009; Zhao et al. 2020.
    """
    r, c, d = stack.covariances()
    cos, sin = float(np.cos(best)), float(np.sin(best))
    gap, turn = stack.itt * cos - stack.first * sin, -stack.itt * sin - stack.first * cos
    v = r * cos**2 - 2 * c * sin * cos + d * sin**2
    with_turn = sin * cos * (d - r) + (sin**2 - cos**2) * c
    of_turn = r * sin**2 + 2 * c * sin * cos + d * cos**2
    inverse = np.linalg.inv(v)
    direction = turn - with_turn @ inverse @ gap
    information = float(direction @ inverse @ direction)
    chance = float(np.trace(inverse @ (of_turn - with_turn @ inverse @ with_turn)))
    if information <= chance:
        return NotComputable(Reason.WEAK_FIRST_STAGE)
    # From angle to effect by the derivative of tan.
    error = sqrt(information) / (information - chance) * stack.unit / cos**2
    return _estimate(stack.effect(best), error, alpha, "liml")


def jive(stack: Stack, *, alpha: float) -> Estimate | NotComputable:
    """Jackknife IV: products of first stage with first stage and outcome over pairs of *different* units only.

    sum W (FS ITT - C) / sum W (FS^2 - V_D): a group's mean product less its covariance over n is the mean over pairs of
    different units. W is the inverse variance of the outcome.

    Source: Angrist, Imbens and Krueger 1999; Kolesar 2013 (UJIVE); Bibaut, Chou, Ejdemyr and Kallus 2024 (experiments
    as instruments); Ye, Shao and Kang 2021 (the same from moments, and its error).
    """
    r, c, d = stack.covariances()
    return ratio_without_noise(stack, np.linalg.inv(r), c, d, alpha)


def ratio_without_noise(stack: Stack, w: Array, c: Array, d: Array, alpha: float) -> Estimate | NotComputable:
    """(FS' W ITT - tr W C) / (FS' W FS - tr W V_D) with its error."""
    strength = float(stack.first @ w @ stack.first) - float(np.trace(w @ d))
    if strength <= 0:
        return NotComputable(Reason.WEAK_FIRST_STAGE)
    effect = (float(stack.first @ w @ stack.itt) - float(np.trace(w @ c))) / strength
    error = sqrt(noise_variance(stack, w, effect)) / strength
    return _estimate(effect * stack.unit, error * stack.unit, alpha, "jive")


def noise_variance(stack: Stack, w: Array, b: float) -> float:
    """Variance of FS' W (ITT - b FS) about its noise, FS and residual being jointly normal (Isserlis 1918)."""
    r, c, d = stack.covariances()
    v, with_first = r - 2 * b * c + b**2 * d, c - b * d
    weighted = w @ stack.first
    mixed = w @ with_first
    return max(float(weighted @ v @ weighted) + float(np.trace(mixed @ mixed)), 0.0)


def _estimate(effect: float, error: float, alpha: float, method: str) -> Estimate:
    half = error * float(stats.norm.isf(alpha / 2))
    p_value = 2 * float(stats.norm.sf(abs(effect) / error))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, method)
