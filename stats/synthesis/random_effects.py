"""A mean of effects that differ between experiments, and an interval for the effect of the next one."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import optimize, special, stats

from stats.results import Interval, NotComputable, Reason, check_alpha
from stats.summaries import Array

FEWEST = 3
GRID, ROUNDS, SPREADS = 400, 3, 200


@dataclass(frozen=True)
class RandomEffects:
    """What effects have in common, and how far they spread.

    Attributes:
        mean: average effect, Hartung-Knapp interval.
        prediction: the same estimate with the interval in which the true effect of one more experiment lies.
        spread: standard deviation of the true effects between experiments, by restricted likelihood.
        experiments: how many went in.
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
        # No less is known of an average than of one of its parts.
        Interval(mean, min(low, mean - half), max(high, mean + half), 1 - alpha, "prediction-interval"),
        spread,
        k,
    )


def predicted(effects: Array, errors: Array, alpha: float) -> tuple[float, float]:
    """Limits between which the true effect of one more experiment lies, for a flat prior of spread and mean.

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
    # Given the spread, the mean is a weighted mean: one dimension is left. Its likelihood may have two hills, so that a
    # search by halving could climb the wrong one; a grid, twice refined, can't.
    for _ in range(ROUNDS):
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
    # log(weight) is what having estimated the mean costs.
    loss = (np.log(variance) + (effects - mean[:, None]) ** 2 / variance).sum(axis=1) + np.log(weight)
    return loss, mean, weight
