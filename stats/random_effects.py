"""A mean of effects that differ between experiments, and an interval for the effect of the next one."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from stats.results import Interval, NotComputable, Reason, check_alpha
from stats.summaries import Array

FEWEST = 3
GRID, ROUNDS = 400, 3


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
    """Random-effects mean with Hartung-Knapp and prediction intervals, both t with k - 1 degrees of freedom.

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
    t = float(stats.t.isf(alpha / 2, k - 1))
    half, far = t * error, t * sqrt(error**2 + spread**2)
    return RandomEffects(
        Interval(mean, mean - half, mean + half, 1 - alpha, "hartung-knapp"),
        Interval(mean, mean - far, mean + far, 1 - alpha, "prediction-interval"),
        spread,
        k,
    )


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
        variance = grid[:, None] ** 2 + errors**2
        weight = (1 / variance).sum(axis=1)
        mean = (effects / variance).sum(axis=1) / weight
        # -2 log restricted likelihood: log(weight) is what having estimated the mean costs.
        loss = (np.log(variance) + (effects - mean[:, None]) ** 2 / variance).sum(axis=1) + np.log(weight)
        best = int(loss.argmin())
        low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, GRID - 1)])
    return float(mean[best]), float(grid[best]), float(weight[best]) ** -0.5
