"""Effects of many experiments as two groups: changes that do nothing, and changes whose effects follow a normal law."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import numpy as np
from scipy import special

from stats.summaries import Array

# The prior of the share of nothings is Beta(3, 1): most changes of a mature product do nothing that can be seen.
NOTHINGS = 20
MEANS, SPREADS, ROUNDS = 41, 25, 3
# Values of mean and spread with less of the posterior than this, all together, are cut off when the grid is refined.
CUT = 1e-4
DRAWS, SEED = 10_000, 20_261


@dataclass(frozen=True, eq=False)
class TwoGroups:
    """Posterior of the law of effects, on a grid of G points.

    Attributes:
        weights: of each point, summing to 1.
        nothing: share of changes that do nothing, 0 to 1.
        mean, spread: of the true effects of the others, effect's unit.
    """

    weights: Array
    nothing: Array
    mean: Array
    spread: Array


@dataclass(frozen=True, eq=False)
class SumOfSome:
    """Posterior of the sum of some true effects.

    Attributes:
        mean: of the sum, effect's unit.
        draws: of the sum.
        nothing: posterior mean of the share of changes that do nothing.
    """

    mean: float
    draws: Array
    nothing: float


def sum_of(effects: Array, errors: Array, places: Sequence[int]) -> SumOfSome:
    """Posterior of the sum of the true effects at some places, whose law all effects together tell.

    Args:
        effects: k estimates of different units; `errors` their standard errors, above 0.
        places: of those that are summed, at least one.

    Source: Johnstone and Silverman 2004, Stephens 2017 (spike and slab of effects); the hyperparameters are integrated
    over, since a plug-in is too sure of them.
    """
    law = two_groups(effects, errors)
    chosen, variances = list(places), errors[list(places)] ** 2
    rng = np.random.default_rng(SEED)
    at = np.searchsorted(np.cumsum(law.weights), rng.random(DRAWS), side="right").clip(max=len(law.weights) - 1)

    def given(point: Array) -> tuple[Array, Array, Array]:
        """Chance not to be a nothing, mean and standard deviation if it isn't one: points x places."""
        mean, squared = law.mean[point, None], law.spread[point, None] ** 2
        x, total = effects[chosen], squared + variances
        kept = squared / total
        odds = _log_normal(x - mean, total) - _log_normal(x, variances)
        nothing = law.nothing[point, None]
        real = special.expit(odds + np.log1p(-nothing) - np.log(nothing))
        return real, mean + kept * (x - mean), np.sqrt(kept * variances)

    points, often = np.unique(at, return_counts=True)
    real, centre, error = given(points)
    back = np.repeat(np.arange(len(points)), often)
    drawn = centre[back] + error[back] * rng.standard_normal((DRAWS, len(chosen)))
    drawn = np.where(rng.random(drawn.shape) < real[back], drawn, 0.0)
    expected = (real * centre).sum(axis=1)
    return SumOfSome(float(often @ expected) / DRAWS, drawn.sum(axis=1), float(law.weights @ law.nothing))


def two_groups(effects: Array, errors: Array) -> TwoGroups:
    """Posterior of the law: true effects are 0 with a share, else normal with a mean and a spread.

    Priors: the share Beta(3, 1); with R the largest of all effects and errors in size, so that the unit doesn't matter,
    the mean flat between -R and R, and the spread flat in its square up to R.
    """
    variances = errors**2
    reach = float(max(np.abs(effects).max(), errors.max()))
    shares = ((np.arange(NOTHINGS) + 0.5) / NOTHINGS) ** (1 / 3)  # of equal prior weight under Beta(3, 1)
    spike = _log_normal(effects, variances)
    limits = ((-reach, reach), (0.0, reach))
    for _round in range(ROUNDS):
        means, spreads = _steps(*limits[0], MEANS), _steps(*limits[1], SPREADS)
        slab = _log_normal(effects - means[:, None, None], spreads[:, None] ** 2 + variances) - spike
        slab = np.exp(np.minimum(slab, 700.0))  # how much likelier each is as something than as nothing
        fit = np.array([np.log(share + (1 - share) * slab).sum(axis=2) for share in shares])
        fit += np.log(spreads)  # flat in the square
        weights = np.exp(fit - fit.max())
        weights /= weights.sum()
        limits = (
            _narrowed(means, weights.sum(axis=(0, 2)), limits[0]),
            _narrowed(spreads, weights.sum(axis=(0, 1)), limits[1]),
        )
    share, mean, spread = np.meshgrid(shares, means, spreads, indexing="ij")
    return TwoGroups(weights.ravel(), share.ravel(), mean.ravel(), spread.ravel())


def _steps(low: float, high: float, number: int) -> Array:
    """Middles of so many even steps."""
    return np.asarray(low + (high - low) * (np.arange(number) + 0.5) / number)


def _narrowed(values: Array, weights: Array, limits: tuple[float, float]) -> tuple[float, float]:
    """The limits without the outer steps that hold next to nothing."""
    below = np.cumsum(weights)
    first, last = int(np.searchsorted(below, CUT / 2)), int(np.searchsorted(below, 1 - CUT / 2))
    step = (limits[1] - limits[0]) / len(values)
    last = min(last, len(values) - 1)
    return max(limits[0], float(values[first]) - step), min(limits[1], float(values[last]) + step)


def _log_normal(distance: Array, variance: Array) -> Array:
    return np.asarray(-0.5 * (distance**2 / variance + np.log(2 * pi * variance)))
