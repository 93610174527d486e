"""Do covariates known before assignment predict the arm? Likelihood-ratio tests, p < .001. Pure.

A file has numbers per unit: one joint test of all columns. A stored experiment has counts of levels, and shares that
may differ between segments by plan: a test of each covariate inside segments. The two have codes of their own.

Source: docs/methods/integrity.md, "Covariate balance".
"""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from experiments.analyse.findings import Finding, Severity
from experiments.analyse.gather.answers import Cells
from experiments.analyse.health.file_context import FileContext
from experiments.analyse.health.stored_context import StoredContext
from experiments.plan.design import Floats

BALANCE_ALARM = 0.001


def check_balance(context: FileContext) -> Iterator[Finding]:
    """One joint test of all columns; compares groups where groups were assigned."""
    units = context.units
    if units.covariates is None or len(np.unique(units.arm)) < 2:
        return
    arm, covariates = units.arm, units.covariates
    if units.cluster is not None:
        # Groups were assigned, so one row per group is compared: units of a group aren't independent.
        first = np.unique(units.cluster, return_index=True)[1]
        sizes = np.bincount(units.cluster)
        sums = [np.bincount(units.cluster, weights=column) for column in covariates.T]
        arm, covariates = arm[first], np.column_stack(sums) / sizes[:, None]
    p_value = joint_balance_p(arm, covariates)
    if p_value is None:
        yield Finding("balance_unknown", Severity.INFO)
    elif p_value < BALANCE_ALARM:
        yield Finding("imbalance", Severity.WARNING, {"p_value": p_value})


def check_balance_by_covariate(context: StoredContext) -> Iterator[Finding]:
    """Test each covariate separately, with Bonferroni."""
    cells = context.answers.cells
    if context.clusters:  # the levels count units, which aren't independent within clusters
        return
    tests = {name: p for place, name in enumerate(cells.covariates) if (p := _levels_p(cells, place)) is not None}
    if not tests:
        return
    name = min(tests, key=lambda one: tests[one])
    p_value = min(1.0, tests[name] * len(tests))
    if p_value < BALANCE_ALARM:
        yield Finding("imbalance_in", Severity.WARNING, {"column": name, "p_value": p_value})


def joint_balance_p(arm: np.ndarray, covariates: Floats) -> float | None:
    """p of the likelihood-ratio test of the arms on the covariates in the normal linear model (Wilks' lambda).

    Unlike a logit it can be computed when a covariate separates the arms. Bartlett's chi-square approximation. None
    when no covariate varies or there are too few units.
    """
    scale = covariates.std(axis=0)
    kept = covariates[:, scale > 0]
    arms = np.unique(arm)
    n = len(arm)
    if kept.shape[1] == 0 or n <= kept.shape[1] + len(arms) + 1:
        return None
    scaled = (kept - kept.mean(axis=0)) / kept.std(axis=0)
    # Redundant dummies repeat other columns: use only the directions that the columns span.
    values, vectors = np.linalg.eigh(scaled.T @ scaled / n)
    spanned = values > 1e-9
    basis = scaled @ vectors[:, spanned] / np.sqrt(values[spanned] * n)
    groups = np.column_stack([arm == code for code in arms[1:]]).astype(float)
    groups -= groups.mean(axis=0)
    residual = groups - basis @ (basis.T @ groups)
    total = np.linalg.slogdet(groups.T @ groups)[1]
    sign, left = np.linalg.slogdet(residual.T @ residual)
    if sign <= 0 or left - total < -60:
        return 0.0
    rank, others = int(spanned.sum()), groups.shape[1]
    statistic = (n - 1 - (rank + others + 1) / 2) * (total - left)
    return float(stats.chi2.sf(statistic, rank * others))


def _levels_p(cells: Cells, place: int) -> float | None:
    """One covariate's levels against the arm inside segments; None when nothing is left to test."""
    statistic, degrees = 0.0, 0
    for segment in range(len(cells.segments)):
        table = np.zeros((len(cells.variants), len(cells.levels[place])))
        kept = cells.segment == segment
        np.add.at(table, (cells.variant[kept], cells.covariate[kept, place]), cells.exposed[kept])
        table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
        if min(table.shape) > 1:
            found = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
            statistic, degrees = statistic + float(found.statistic), degrees + int(found.dof)
    return float(stats.chi2.sf(statistic, degrees)) if degrees else None
