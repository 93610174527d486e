"""Sets of effects that all experiments together don't reject: Anderson-Rubin and conditional likelihood ratio."""

from math import pi

import numpy as np
from scipy import special, stats

from stats.instrument.arms_set import EffectSet
from stats.instrument.pooling.circle import angles, pieces
from stats.instrument.pooling.stack import Stack
from stats.summaries import Array

# Exact to 1e-6 from p = .5 down, up to 200 instruments.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)


def anderson_rubin_set(stack: Stack, best: float, *, alpha: float) -> EffectSet:
    """All b with e(b)' V(b)^-1 e(b) <= the chi-square(K) quantile, e = ITT - b FS.

    Holds for nudges of any strength. It also rejects where the nudges disagree, so that it may be empty.

    Source: Anderson and Rubin 1949; docs/methods/pooling.md, "Pooled experiments".
    """
    critical = float(stats.chi2.isf(alpha, stack.size))
    found = pieces(lambda t: stack.ar(t) - critical, angles(stack, best), stack.unit)
    return EffectSet(found, 1 - alpha)


def likelihood_ratio_set(stack: Stack, best: float, *, alpha: float) -> EffectSet:
    """All b that the conditional likelihood-ratio test doesn't reject: as exact, and narrower with many nudges.

    Source: Moreira 2003; Kleibergen 2005 (the robust statistic); Andrews, Moreira and Stock 2007 (its p-value).
    """
    sure = float(stats.chi2.isf(alpha, 1)), float(stats.chi2.isf(alpha, stack.size))

    def rejected(t: Array) -> Array:
        ratio, strength = likelihood_ratio(stack, t)
        # The critical value lies between those of chi-square(1) and chi-square(K): only there is p needed.
        found = np.where(ratio <= sure[0], -alpha, alpha)
        between = (ratio > sure[0]) & (ratio < sure[1])
        found[between] = alpha - conditional_p(ratio[between], strength[between], stack.size)
        return np.asarray(found)

    return EffectSet(pieces(rejected, angles(stack, best), stack.unit), 1 - alpha)


def likelihood_ratio(stack: Stack, t: Array) -> tuple[Array, Array]:
    """Kleibergen's likelihood-ratio statistic and the strength that it is conditioned on, at the angles.

    (AR - s + sqrt((AR - s)^2 + 4 s LM)) / 2. With variances alike but for size it is AR less its minimum.

    Source: Kleibergen 2005, equation 33; Moreira 2003.
    """
    found = stack.at(t)
    gap = found.ar - found.strength
    root = np.sqrt(gap**2 + 4 * found.strength * found.lm)
    # With gap < 0 the sum would cancel: the same number by the other root.
    low = np.divide(2 * found.strength * found.lm, root - gap, out=np.zeros_like(gap), where=gap < 0)
    return np.where(gap < 0, low, (gap + root) / 2), found.strength


def conditional_p(ratio: Array, strength: Array, k: int) -> Array:
    """P(LR > ratio | strength) with k instruments: the mean of chi2(k).sf((z + s) / (1 + s u^2 / z)) over the law of u.

    u is one coordinate of a random direction in k dimensions.

    Source: Andrews, Moreira and Stock 2007, theorem 1; Hillier 2009.
    """
    if k == 1:
        return np.asarray(stats.chi2.sf(ratio, 1))
    z = np.maximum(ratio, 1e-300)[:, None]
    s = strength[:, None]
    top = min(pi / 2, 12 / k**0.5)  # beyond, cos^(k-2) is below 1e-16 of its integral
    angle = top * (NODES + 1) / 2
    density = np.cos(angle) ** (k - 2) * WEIGHTS * top / 2
    constant = 2 * np.exp(special.gammaln(k / 2) - special.gammaln((k - 1) / 2)) / pi**0.5
    tail = stats.chi2.sf((z + s) / (1 + s * np.sin(angle) ** 2 / z), k)
    return np.asarray(np.minimum(constant * (tail @ density), 1.0))
