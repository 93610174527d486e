"""The total effect of several shipped changes, with and without the winner's curse."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from scipy import special, stats

from stats.results import Interval, NotComputable, Reason, check_alpha
from stats.summaries import Array

# Two-group model of effects: changes without effect, and changes whose effects follow a normal distribution.

# The prior of the share without effect is Beta(3, 1): most changes of a mature product have no visible effect.
NOTHINGS = 20
MEANS, SPREADS, ROUNDS = 41, 25, 3
# Values of mean and spread with less of the posterior than this in total are cut off when the grid is refined.
CUT = 1e-4
DRAWS, SEED = 10_000, 20_261


@dataclass(frozen=True, eq=False)
class TwoGroups:
    """Posterior of the effects' distribution, on a grid of G points.

    Attributes:
        weights: of each point, summing to 1.
        nothing: share of changes without effect, 0 to 1.
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
        nothing: posterior mean of the share of changes without effect.
    """

    mean: float
    draws: Array
    nothing: float


def sum_of(effects: Array, errors: Array, places: Sequence[int]) -> SumOfSome:
    """Posterior of the sum of some true effects, whose distribution is estimated from all effects.

    Args:
        effects: k estimates of different units; `errors` their standard errors, above 0.
        places: positions of the summed ones, at least one.

    Source: Johnstone and Silverman 2004, Stephens 2017 (spike and slab of effects); the hyperparameters are integrated
    over, since plug-in estimates would be overconfident.
    """
    law = two_groups(effects, errors)
    chosen, variances = list(places), errors[list(places)] ** 2
    rng = np.random.default_rng(SEED)
    at = np.searchsorted(np.cumsum(law.weights), rng.random(DRAWS), side="right").clip(max=len(law.weights) - 1)

    def given(point: Array) -> tuple[Array, Array, Array]:
        """Probability of an effect, and its conditional mean and standard deviation: points x places."""
        mean, squared = law.mean[point, None], law.spread[point, None] ** 2
        x, total = effects[chosen], squared + variances
        weight = squared / total
        odds = _log_normal(x - mean, total) - _log_normal(x, variances)
        nothing = law.nothing[point, None]
        real = special.expit(odds + np.log1p(-nothing) - np.log(nothing))
        return real, mean + weight * (x - mean), np.sqrt(weight * variances)

    points, often = np.unique(at, return_counts=True)
    real, centre, error = given(points)
    back = np.repeat(np.arange(len(points)), often)
    drawn = centre[back] + error[back] * rng.standard_normal((DRAWS, len(chosen)))
    drawn = np.where(rng.random(drawn.shape) < real[back], drawn, 0.0)
    expected = (real * centre).sum(axis=1)
    return SumOfSome(float(often @ expected) / DRAWS, drawn.sum(axis=1), float(law.weights @ law.nothing))


def two_groups(effects: Array, errors: Array) -> TwoGroups:
    """Posterior of the two-group model: true effects are 0 with a probability, else normal with a mean and a spread.

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
        slab = np.exp(np.minimum(slab, 700.0))  # likelihood ratio of an effect against none
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
    """Midpoints of equal steps."""
    return np.asarray(low + (high - low) * (np.arange(number) + 0.5) / number)


def _narrowed(values: Array, weights: Array, limits: tuple[float, float]) -> tuple[float, float]:
    """The limits without outer steps that have next to no probability."""
    below = np.cumsum(weights)
    first, last = int(np.searchsorted(below, CUT / 2)), int(np.searchsorted(below, 1 - CUT / 2))
    step = (limits[1] - limits[0]) / len(values)
    last = min(last, len(values) - 1)
    return max(limits[0], float(values[first]) - step), min(limits[1], float(values[last]) + step)


def _log_normal(distance: Array, variance: Array) -> Array:
    return np.asarray(-0.5 * (distance**2 / variance + np.log(2 * pi * variance)))


# Total effect of the shipped changes from their experiments: the plain sum, and the sum without the winner's curse.

# With fewer experiments the share without effect and the spread of the others can't be estimated.
FEWEST_EXPERIMENTS = 10


@dataclass(frozen=True)
class SummedEffects:
    """The sum of selected experiments' effects.

    Attributes:
        naive: sum of the effects as found. Too large on average: shipped changes tend to be those that luck had helped.
        shrunk: estimated sum of the true effects, using all experiments, shipped or not.
        selected: experiments in the sums; `experiments` that the effects' distribution was estimated from.
        tau_squared: only in results up to version 0.4, which assumed one normal distribution for all effects: its
            variance, effect's unit squared.
        nothing: share of the experiments' changes without effect, 0 to 1; None if `shrunk` isn't computable, and in
            results up to 0.4.
    """

    naive: Interval
    shrunk: Interval | NotComputable
    selected: int
    experiments: int
    tau_squared: float | None = None
    nothing: float | None = None


def sum_selected(
    effects: Sequence[float], errors: Sequence[float], selected: Sequence[int], *, alpha: float = 0.05
) -> SummedEffects | NotComputable:
    """Sum the effects of experiments that were selected by their results.

    The shrunk sum assumes two groups of changes: some have no effect, the effects of the others are normally
    distributed; shares and distribution are estimated from all experiments (`two_groups`). Given the data of an
    experiment it then doesn't matter that it was selected by them (Dawid 1994). It needs the losers too: estimated from
    winners alone it would be as biased as the naive sum. A single normal distribution covered 70 % where nine of ten
    changes have no effect; this one 92 to 97 % there, under a normal distribution and under t with 3 degrees of
    freedom.

    Args:
        effects: of all experiments on one outcome, in one unit; of different units each.
        errors: their standard errors, above 0.
        selected: places of those whose sum is wanted.
        alpha: one minus the level of the intervals.

    Returns:
        Both sums; ``NO_DATA`` where nothing was selected. ``shrunk`` is ``TOO_FEW_FINDINGS`` below ten experiments; its
        limits are quantiles of the posterior, drawn with a fixed seed.

    Source: Lee and Shen 2018 (winner's curse of summed features); Azevedo, Deng, Montiel Olea and Weyl 2020 (fat tails
    of effects); Stephens 2017.
    """
    check_alpha(alpha)
    if not selected:
        return NotComputable(Reason.NO_DATA)
    values, deviations = np.array(effects, dtype=np.float64), np.array(errors, dtype=np.float64)
    if (deviations <= 0).any():
        return NotComputable(Reason.NO_VARIANCE)
    places = list(selected)
    total, error = float(values[places].sum()), sqrt(float((deviations[places] ** 2).sum()))
    z = float(stats.norm.isf(alpha / 2))
    naive = Interval(total, total - z * error, total + z * error, 1 - alpha, "sum-of-shipped-effects")
    if len(values) < FEWEST_EXPERIMENTS:
        few = NotComputable(Reason.TOO_FEW_FINDINGS, {"n": len(values), "needed": FEWEST_EXPERIMENTS})
        return SummedEffects(naive, few, len(places), len(values))
    posterior = sum_of(values, deviations, places)
    low, high = np.quantile(posterior.draws, (alpha / 2, 1 - alpha / 2)).tolist()
    shrunk = Interval(posterior.mean, low, high, 1 - alpha, "two-groups-of-effects")
    return SummedEffects(naive, shrunk, len(places), len(values), nothing=posterior.nothing)
