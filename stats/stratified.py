"""Effects within segments, pooled over them, and whether the segments differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

from stats.clusters import ROUNDING, weighted_scores, weights_of
from stats.design_matrix import Integers, cluster_codes, fewest_clusters
from stats.results import Estimate, Interval, NotComputable, Reason, check_alpha
from stats.summaries import Array, Mean, Values, finite_array

type Strata = Sequence[tuple[Mean, Mean]]

# docs/methods/comparison.md, "Mantel-Haenszel difference": from here on each stratum's own variance can be trusted.
LARGE_STRATUM = 50


@dataclass(frozen=True)
class Heterogeneity:
    """Test of equal effects in all segments.

    Attributes:
        statistic: the chi-square statistic.
        degrees_of_freedom: number of segments, less one.
        p_value: upper tail probability, 0 to 1.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float


def risk_difference(strata: Strata, *, alpha: float = 0.05) -> Estimate | NotComputable:
    """Mantel-Haenszel difference over strata: weights n1*n0/N.

    Args:
        strata: (control, variant) per stratum. Strata without units in one arm carry no weight.
        alpha: two-sided error rate.

    Returns:
        Variant minus control, with the name of its variance in ``method``. Shares: Greenland and Robins' where every
        stratum has at least ``LARGE_STRATUM`` units an arm, since Sato's assumes one effect for all strata (where
        effects differ it covered 90 to 96 %); Sato's otherwise, since the other collapses in tiny strata. Means use n-1
        variances and need two units per arm of a stratum.

    Source: Greenland and Robins 1985, equation 2 (large strata); Sato 1989; docs/methods/comparison.md.
    """
    check_alpha(alpha)
    used = [(c, v) for c, v in strata if c.n and v.n]
    if not used:
        return NotComputable(Reason.TOO_FEW_STRATA)
    weights = [c.n * v.n / (c.n + v.n) for c, v in used]
    total = sum(weights)
    effect = sum(w * (v.mean - c.mean) for w, (c, v) in zip(weights, used, strict=True)) / total
    smallest = min(min(c.n, v.n) for c, v in used)
    shares = all(c.is_proportion and v.is_proportion for c, v in used)
    if shares and smallest < LARGE_STRATUM:
        variance, method = _sato(used, effect) / total**2, "mantel-haenszel-difference-sato"
    elif shares:
        variance, method = _greenland_robins(used) / total**2, "mantel-haenszel-difference-greenland-robins"
    else:
        if smallest < 2:
            return NotComputable(Reason.TOO_FEW_UNITS, {"n": smallest, "needed": 2})
        variances = [c.variance / c.n + v.variance / v.n for c, v in used]
        variance = sum(w**2 * each for w, each in zip(weights, variances, strict=True)) / total**2
        method = "mantel-haenszel-difference"
    if variance <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    error = sqrt(variance)
    half = error * float(stats.norm.isf(alpha / 2))
    p_value = 2 * float(stats.norm.sf(abs(effect) / error))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, method)


def clustered_risk_difference(
    y: Values,
    treated: Values,
    strata: npt.ArrayLike,
    clusters: npt.ArrayLike,
    *,
    alpha: float = 0.05,
    n: Values | None = None,
) -> Estimate | NotComputable:
    """Mantel-Haenszel difference for cluster-randomised designs; a cluster may have units in several strata.

    Args:
        y: outcome per unit.
        treated: 1 variant, 0 control.
        strata: label of each unit's stratum. Strata without units in one arm carry no weight.
        clusters: label of each unit's cluster.
        alpha: two-sided error rate.
        n: units per row, where rows are cells with the means of the outcome.

    Returns:
        Variant minus control with weights n1*n0/N: the weighted difference of the means of strata and arms. CR2 errors,
        t with Bell-McCaffrey degrees of freedom. If an arm of a stratum is a single cluster, whose error can't be
        estimated, the errors come from the regression with one effect for all strata, whose coefficient is the same.

    Source: Mantel and Haenszel 1959; Bell and McCaffrey 2002.
    """
    check_alpha(alpha)
    outcome, arm = finite_array(y, dimensions=1), finite_array(treated, dimensions=1)
    codes, labels = cluster_codes(clusters, len(outcome)), np.unique(np.asarray(strata), return_inverse=True)[1]
    units = weights_of(n, len(outcome))
    sizes = np.array([np.bincount(labels, weights=units * (arm == value)) for value in (0.0, 1.0)])
    both = (sizes > 0).all(axis=0)
    if not both.any():
        return NotComputable(Reason.TOO_FEW_STRATA)
    if fewest_clusters(arm, codes, (0.0, 1.0)) < 2:
        return NotComputable(Reason.TOO_FEW_CLUSTERS)
    compared = both[labels] & np.isin(arm, (0.0, 1.0))
    outcome, arm, units = outcome[compared], arm[compared], units[compared]
    labels, codes = (np.unique(column[compared], return_inverse=True)[1].astype(np.intp) for column in (labels, codes))
    weights = (sizes[0] * sizes[1] / np.maximum(sizes.sum(axis=0), 1))[both]
    design, contrast = _strata_design(labels, arm, codes, weights / weights.sum())
    root = np.sqrt(units)
    coefficients = np.linalg.lstsq(design * root[:, None], outcome * root, rcond=None)[0]
    scores = weighted_scores(design, contrast, (outcome - design @ coefficients)[:, None], codes, units)
    variance, effect = float(scores.covariance[0, 0]), float(contrast @ coefficients)
    if variance <= ROUNDING * float(np.square(outcome).max()):
        return NotComputable(Reason.NO_VARIANCE)
    law, error = stats.t(scores.degrees_of_freedom), sqrt(variance)
    half = error * float(law.isf(alpha / 2))
    p_value = 2 * float(law.sf(abs(effect) / error))
    return Estimate(
        effect, error, effect - half, effect + half, p_value, 1 - alpha, "mantel-haenszel-difference-clustered"
    )


def _strata_design(labels: Integers, arm: Array, codes: Integers, weights: Array) -> tuple[Array, Array]:
    """Design matrix: a column per arm and stratum; if one of them is a single cluster, per stratum and for the arm."""
    k = len(weights)
    cells = labels + k * (arm == 1)
    clusters = np.bincount(np.unique(np.column_stack([cells, codes]), axis=0)[:, 0], minlength=2 * k)
    if clusters.min() >= 2:
        return (cells[:, None] == np.arange(2 * k)).astype(np.float64), np.concatenate([-weights, weights])
    design = np.column_stack([labels[:, None] == np.arange(k), arm]).astype(np.float64)
    return design, np.eye(k + 1)[-1]


def odds_ratio(strata: Strata, *, alpha: float = 0.05) -> Interval | NotComputable:
    """Mantel-Haenszel common odds ratio with the Robins-Breslow-Greenland interval.

    Returns:
        Odds of the variant over odds of control; above 1 = more successes. ``NotComputable(SPARSE_TABLE)`` when it is
        0, infinite or undefined.

    Source: Mantel and Haenszel 1959; Robins, Breslow and Greenland 1986 (statsmodels ``StratifiedTable``).
    """
    from statsmodels.stats.contingency_tables import StratifiedTable

    check_alpha(alpha)
    tables = tables_of(strata)
    if isinstance(tables, NotComputable):
        return tables
    (a, b), (c, d) = np.moveaxis(tables, 0, -1)
    n = a + b + c + d
    if (a * d / n).sum() == 0 or (b * c / n).sum() == 0:
        return NotComputable(Reason.SPARSE_TABLE)
    pooled = StratifiedTable(np.moveaxis(tables, 0, -1))
    low, high = pooled.oddsratio_pooled_confint(alpha)
    return Interval(float(pooled.oddsratio_pooled), float(low), float(high), 1 - alpha, "mantel-haenszel-odds-ratio")


def cmh_test(strata: Strata, *, correction: bool = False) -> tuple[float, float] | NotComputable:
    """Cochran-Mantel-Haenszel chi-square (1 df) and its p-value: is there any association, within strata?

    Args:
        strata: (control, variant) of 0/1 outcomes per stratum.
        correction: subtract 1/2 as R's ``mantelhaen.test`` does by default (not where that would overshoot 0).

    Source: Mantel and Haenszel 1959.
    """
    tables = tables_of(strata)
    if isinstance(tables, NotComputable):
        return tables
    n1, n0 = tables.sum(axis=2).T
    m1, m0 = tables.sum(axis=1).T
    n = n1 + n0
    variance = float((n1 * n0 * m1 * m0 / (n**2 * (n - 1))).sum())
    if variance == 0:
        return NotComputable(Reason.NO_VARIANCE)
    gap = abs(float((tables[:, 0, 0] - n1 * m1 / n).sum()))
    statistic = (gap - 0.5 if correction and gap >= 0.5 else gap) ** 2 / variance
    return statistic, float(stats.chi2.sf(statistic, 1))


def breslow_day(strata: Strata, *, tarone: bool = True) -> Heterogeneity | NotComputable:
    """Breslow-Day test of equal odds ratios, with Tarone's correction unless switched off.

    Own code: statsmodels divides by zero when the pooled odds ratio is exactly 1.

    Source: Breslow and Day 1980; Tarone 1985.
    """
    tables = tables_of(strata)
    if isinstance(tables, NotComputable):
        return tables
    informative = np.array([(t.sum(axis=0) > 0).all() and (t.sum(axis=1) > 0).all() for t in tables])
    tables = tables[informative]
    if len(tables) < 2:
        return NotComputable(Reason.TOO_FEW_STRATA)
    n = tables.sum(axis=(1, 2))
    up = float((tables[:, 0, 0] * tables[:, 1, 1] / n).sum())
    down = float((tables[:, 0, 1] * tables[:, 1, 0] / n).sum())
    if up == 0 or down == 0:
        return NotComputable(Reason.SPARSE_TABLE)
    cells = np.array([_expected_cells(table, up / down) for table in tables])
    variance = 1 / (1 / cells).sum(axis=1)
    gap = tables[:, 0, 0] - cells[:, 0]
    statistic = float((gap**2 / variance).sum())
    if tarone:
        statistic -= float(gap.sum() ** 2 / variance.sum())
    statistic = max(statistic, 0.0)
    return Heterogeneity(statistic, len(tables) - 1, float(stats.chi2.sf(statistic, len(tables) - 1)))


def heterogeneity(estimates: Sequence[Estimate]) -> Heterogeneity | NotComputable:
    """Cochran's Q: do the segments' differences vary more than their errors explain?

    Source: Cochran 1954.
    """
    if len(estimates) < 2:
        return NotComputable(Reason.TOO_FEW_STRATA)
    if any(estimate.standard_error <= 0 for estimate in estimates):
        return NotComputable(Reason.NO_VARIANCE)
    effects = np.array([estimate.estimate for estimate in estimates])
    weights = np.array([estimate.standard_error for estimate in estimates]) ** -2.0
    centre = (weights * effects).sum() / weights.sum()
    statistic = float((weights * (effects - centre) ** 2).sum())
    return Heterogeneity(statistic, len(effects) - 1, float(stats.chi2.sf(statistic, len(effects) - 1)))


def tables_of(strata: Strata) -> Array | NotComputable:
    """K tables [[variant 1, variant 0], [control 1, control 0]], of strata with units in both arms."""
    used = [(c, v) for c, v in strata if c.n and v.n]
    if not used:
        return NotComputable(Reason.TOO_FEW_STRATA)
    if not all(group.is_proportion for pair in used for group in pair):
        return NotComputable(Reason.NOT_A_PROPORTION)
    rows = [[[g.successes, g.n - g.successes] for g in (v, c)] for c, v in used]
    return np.array(rows, dtype=np.float64)


def _sato(used: Strata, effect: float) -> float:
    p = q = 0.0
    for control, variant in used:
        n0, n1, c, a = control.n, variant.n, control.successes, variant.successes
        n = n0 + n1
        p += (n1 / n) ** 2 * c - (n0 / n) ** 2 * a + n1 / n * n0 / n * (n0 - n1) / 2
        q += (a * (n0 - c) + c * (n1 - a)) / (2 * n)
    return effect * p + q


def _greenland_robins(used: Strata) -> float:
    """sum w^2 (p1 q1 / n1 + p0 q0 / n0): each stratum's own binomial variances."""
    total = 0.0
    for control, variant in used:
        n0, n1 = control.n, variant.n
        each = sum(arm.successes * (arm.n - arm.successes) / arm.n**3 for arm in (control, variant))
        total += (n0 * n1 / (n0 + n1)) ** 2 * each
    return total


def _expected_cells(table: Array, ratio: float) -> list[float]:
    """The four cells with this table's margins and this odds ratio."""
    n1, n0 = table.sum(axis=1).tolist()
    m1 = float(table[:, 0].sum())
    a, b, c = ratio - 1, -(ratio * (n1 + m1) + n0 - m1), ratio * n1 * m1
    # Written so that ratio 1 (a = 0) is no special case: the plain formula would be 0/0.
    cell = 2 * c / (-b + sqrt(max(b * b - 4 * a * c, 0.0)))
    return [cell, n1 - cell, m1 - cell, n0 - m1 + cell]
