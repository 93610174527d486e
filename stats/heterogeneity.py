"""When segments differ: the population effect, shrunk segment effects, and a test of equal odds ratios."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from stats.compare import by_z
from stats.ratios import Mix
from stats.results import Estimate, Interval, NotComputable, Reason, check_alpha
from stats.stratified import Heterogeneity, Strata, tables_of
from stats.summaries import Array

# Shrink segments' effects towards their common mean: separates real differences from noise.


@dataclass(frozen=True)
class Shrinkage:
    """Segments' effects after empirical-Bayes shrinkage.

    Attributes:
        tau_squared: variance of the true effects between segments, effect's unit squared; 0 when errors explain the
            differences.
        mean: random-effects mean of the segments' effects, with its interval.
        effects: shrunk effect per segment, in the order given. With ``tau_squared`` 0 all are the common mean.
        kept: weight of each segment's own effect, 0 to 1; the rest of the weight is the mean's.
    """

    tau_squared: float
    mean: Interval
    effects: tuple[Interval, ...]
    kept: tuple[float, ...]


def shrink(estimates: Sequence[Estimate], *, alpha: float = 0.05) -> Shrinkage | NotComputable:
    """DerSimonian and Laird's variance between segments, and each effect shrunk by it.

    The interval of a shrunk effect includes its own error, that of the mean and, from four segments on, Morris's term
    for that of ``tau_squared``. It covers on average over segments (simulated: 91 to 99 % of them at .95), not for a
    segment unlike the others; with two or three segments it is too short. The forest plot shows the raw effects as
    well.

    Args:
        estimates: raw effect per segment, of different units.
        alpha: one minus the level of the intervals.

    Source: DerSimonian and Laird 1986; Morris 1983; docs/methods/comparison.md.
    """
    check_alpha(alpha)
    if len(estimates) < 2:
        return NotComputable(Reason.TOO_FEW_STRATA)
    if any(estimate.standard_error <= 0 for estimate in estimates):
        return NotComputable(Reason.NO_VARIANCE)
    effects = np.array([estimate.estimate for estimate in estimates])
    variances = np.array([estimate.standard_error for estimate in estimates]) ** 2
    tau_squared = variance_between(effects, variances)
    random = 1 / (variances + tau_squared)
    mean, of_mean = float((random * effects).sum() / random.sum()), 1 / float(random.sum())
    kept = tau_squared * random
    # Morris 1983: kept * v, and the error of the mean where the mean replaces the segment's own effect.
    squared = kept * variances + (1 - kept) ** 2 * of_mean
    if len(effects) > 3:
        # Morris 1983 for unequal variances: the error of estimating tau^2, larger the further a segment is shrunk.
        average = float((random * variances).sum() / random.sum()) + tau_squared
        squared += 2 / (len(effects) - 3) * (1 - kept) ** 2 * average * random * (effects - mean) ** 2
    errors = np.sqrt(squared)
    z = float(stats.norm.isf(alpha / 2))
    shrunk = kept * effects + (1 - kept) * mean
    return Shrinkage(
        tau_squared,
        _interval(mean, sqrt(of_mean), z, alpha, "random-effects-mean"),
        tuple(_interval(float(e), float(s), z, alpha, "empirical-bayes") for e, s in zip(shrunk, errors, strict=True)),
        tuple(float(share) for share in kept),
    )


def variance_between(effects: Array, variances: Array) -> float:
    """Variance of the true effects between studies or segments: the moment estimate, cut at 0.

    Args:
        effects: at least two estimates.
        variances: their squared standard errors, above 0.

    Source: DerSimonian and Laird 1986, equation 8. statsmodels' ``combine_effects`` doesn't cut it at 0.
    """
    weights = 1 / variances
    centre = (weights * effects).sum() / weights.sum()
    q = (weights * (effects - centre) ** 2).sum()
    spread = weights.sum() - (weights**2).sum() / weights.sum()
    return max(float((q - (len(effects) - 1)) / spread), 0.0)


def _interval(effect: float, error: float, z: float, alpha: float, method: str) -> Interval:
    return Interval(effect, effect - z * error, effect + z * error, 1 - alpha, method)


def population_difference(strata: Strata, *, alpha: float = 0.05) -> Estimate | NotComputable:
    """Difference weighted by the strata's shares of all units, N_k/N: the population effect when effects differ.

    Mantel-Haenszel weights favour strata with equal arms; where effects differ between strata, they estimate something
    else. The error includes that of the shares, so that it refers to the population that the units came from.

    Args:
        strata: (control, variant) per stratum; each needs two units per arm, or its part of the population effect can't
            be estimated.
        alpha: two-sided error rate.

    Source: docs/methods/comparison.md; Rothman, Greenland and Lash 2008, chapter 15 (standardisation).
    """
    check_alpha(alpha)
    used = [(c, v) for c, v in strata if c.n + v.n]
    if not used:
        return NotComputable(Reason.TOO_FEW_STRATA)
    smallest = min(min(c.n, v.n) for c, v in used)
    if smallest < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": smallest, "needed": 2})
    mix = Mix.of([c.n + v.n for c, v in used])
    gaps = np.array([v.mean - c.mean for c, v in used])
    effect = float(np.array(mix.shares) @ gaps)
    variance = sum(w**2 * (v.variance / v.n + c.variance / c.n) for w, (c, v) in zip(mix.shares, used, strict=True))
    variance += float(mix.errors(gaps[:, None])[0, 0])
    if variance <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    return by_z(effect, sqrt(variance), alpha, "population-weighted-difference")


def interaction_test(strata: Strata) -> Heterogeneity | NotComputable:
    """Likelihood-ratio test of arm x stratum in a logistic model: do the odds ratios differ?

    The saturated model's deviance is 0, so the deviance of the model with main effects alone is the statistic.

    Source: docs/methods/comparison.md (secondary, on the odds scale); McCullagh and Nelder 1989 (statsmodels ``GLM``).
    """
    import statsmodels.api as sm

    tables = tables_of(strata)
    if isinstance(tables, NotComputable):
        return tables
    # A stratum without successes, or without failures, has no odds to compare.
    informative = np.array([(table.sum(axis=0) > 0).all() for table in tables])
    tables = tables[informative]
    k = len(tables)
    if k < 2:
        return NotComputable(Reason.TOO_FEW_STRATA)
    counts = tables.reshape(2 * k, 2)
    stratum, arm = np.repeat(np.eye(k), 2, axis=0), np.tile([1.0, 0.0], k)[:, None]
    fitted = sm.GLM(counts, np.hstack([stratum, arm]), family=sm.families.Binomial()).fit()
    statistic = max(float(fitted.deviance), 0.0)
    return Heterogeneity(statistic, k - 1, float(stats.chi2.sf(statistic, k - 1)))
