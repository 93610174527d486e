"""Egger's regression: effects on the outcome against effects on the behaviour, with a free intercept."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from stats.instrument.pooling.points import noise_variance
from stats.instrument.pooling.stack import Stack
from stats.results import Estimate, NotComputable, Reason

FEWEST_INSTRUMENTS = 3


@dataclass(frozen=True)
class Egger:
    """What is left of the effect when every nudge may also act by itself.

    Attributes:
        slope: effect of the behaviour, in the outcome's unit per unit that reaches it.
        intercept: average direct effect of the nudges, in the outcome's unit.
        dispersion: variance of the residuals over what sampling explains, at least 1.
    """

    slope: Estimate
    intercept: Estimate
    dispersion: float


def egger(stack: Stack, *, alpha: float) -> Egger | NotComputable:
    """Weighted regression of ITT on FS with intercept, sampling noise in FS taken out of slope and strength.

    Plain Egger's regression is flattened by the noise in FS; here products run over different units only, as in JIVE.
    Errors grow by the residuals' dispersion; t with K - 2 degrees of freedom.

    Needs direct effects that have nothing to do with how strongly a nudge moves the behaviour. Which arm is called the
    variant matters: the intercept is what the variants do by themselves.

    Source: Bowden, Davey Smith and Burgess 2015; Egger et al. 1997; Ye, Shao and Kang 2021 (noise taken out).
    """
    if stack.size < FEWEST_INSTRUMENTS:
        return NotComputable(Reason.TOO_FEW_TO_POOL, {"n": stack.size, "needed": FEWEST_INSTRUMENTS})
    r, c, d = stack.covariances()
    w = np.linalg.inv(r)
    ones = np.ones(stack.size)
    of_mean = w @ ones / float(ones @ w @ ones)
    within = w - np.outer(w @ ones, of_mean)
    strength = float(stack.first @ within @ stack.first) - float(np.trace(within @ d))
    if strength <= 0:
        return NotComputable(Reason.WEAK_FIRST_STAGE)
    slope = (float(stack.first @ within @ stack.itt) - float(np.trace(within @ c))) / strength
    centre = float(of_mean @ stack.first)
    intercept = float(of_mean @ stack.itt) - slope * centre
    v = r - 2 * slope * c + slope**2 * d
    residual = stack.itt - intercept - slope * stack.first
    degrees = stack.size - 2
    dispersion = max(float(residual @ np.linalg.solve(v, residual)) / degrees, 1.0)
    noise = noise_variance(stack, within, slope) / strength**2
    line = of_mean - centre * (within @ stack.first) / strength
    plain = noise - float((within @ stack.first) @ v @ (within @ stack.first)) / strength**2
    of_intercept = float(line @ v @ line) + centre**2 * max(plain, 0.0)
    outcome = stack.scale_r
    return Egger(
        _t_estimate(slope * stack.unit, sqrt(dispersion * noise) * stack.unit, degrees, alpha, "egger"),
        _t_estimate(intercept * outcome, sqrt(dispersion * of_intercept) * outcome, degrees, alpha, "egger"),
        dispersion,
    )


def _t_estimate(effect: float, error: float, degrees: int, alpha: float, method: str) -> Estimate:
    half = error * float(stats.t.isf(alpha / 2, degrees))
    p_value = 2 * float(stats.t.sf(abs(effect) / error, degrees))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, method)
