"""When segments differ: the effect on everybody, and the test of the odds."""

from math import sqrt

import numpy as np
from scipy import stats

from stats.compare import by_z
from stats.ratios import Mix
from stats.results import Estimate, NotComputable, Reason, check_alpha
from stats.stratified import Heterogeneity, Strata, tables_of


def population_difference(strata: Strata, *, alpha: float = 0.05) -> Estimate | NotComputable:
    """Difference weighted by the strata's shares of all units, N_k/N: the effect on everybody when effects differ.

    Mantel-Haenszel weights favour strata with equal arms; where effects differ between strata, they answer another
    question. The error holds that of the shares, so that it speaks of the population that the units came from.

    Args:
        strata: (control, variant) per stratum; each needs two units per arm, or its share of everybody can't be judged.
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
