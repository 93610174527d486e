"""Can the values be used, and do covariates known before assignment predict the arm? Pure."""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from experiments.analyse.codes import Detail, Finding, Severity
from experiments.analyse.gather.answers import Cells
from experiments.analyse.health.context import FileContext, StoredContext
from experiments.analyse.outcome_lock import units_by_arm
from experiments.analyse.result import State
from experiments.plan.design import Floats, Kind
from reporting.numbers import percent
from stats.results import Estimate, NotComputable, computable
from stats.stratified import risk_difference
from stats.summaries import Mean

# Do covariates known before assignment predict the arm? Likelihood-ratio tests, p < .001. Pure.
#
# A file has numbers per unit: one joint test of all columns. A stored experiment has counts of levels, and shares
# that may differ between segments by plan: a test of each covariate inside segments. The two have codes of their own.
#
# Source: docs/methods/integrity.md, "Covariate balance".

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
    name = min(tests, key=lambda covariate: tests[covariate])
    p_value = min(1.0, tests[name] * len(tests))
    if p_value < BALANCE_ALARM:
        yield Finding("imbalance_in", Severity.WARNING, {"column": name, "p_value": p_value})


def joint_balance_p(arm: np.ndarray, covariates: Floats) -> float | None:
    """p of the likelihood-ratio test of the arms on the covariates in the normal linear model (Wilks' lambda).

    Unlike a logit it can be computed when a covariate separates the arms. Bartlett's chi-square approximation. None
    when no covariate varies or there are too few units.
    """
    scale = covariates.std(axis=0)
    varying = covariates[:, scale > 0]
    arms = np.unique(arm)
    n = len(arm)
    if varying.shape[1] == 0 or n <= varying.shape[1] + len(arms) + 1:
        return None
    scaled = (varying - varying.mean(axis=0)) / varying.std(axis=0)
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
        in_segment = cells.segment == segment
        np.add.at(table, (cells.variant[in_segment], cells.covariate[in_segment, place]), cells.exposed[in_segment])
        table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
        if min(table.shape) > 1:
            test = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
            statistic, degrees = statistic + float(test.statistic), degrees + int(test.dof)
    return float(stats.chi2.sf(statistic, degrees)) if degrees else None


# Checks of a file's values, and of rows in SQL metrics. Pure. Thresholds without a source are ours.

MISSING_SHARE = 0.05
MISSING_DIFFERS = 0.001
# Share of an arm's variance from one unit: at a fifth, this unit alone decides the interval.
OUTLIER_SHARE = 0.2
OUTLIER_UNITS = 50


def check_missing_values(context: FileContext) -> Iterator[Finding]:
    """Report missing values per column; an error where arms differ by more than chance (chi-square at .001)."""
    sizes = np.array(list(context.units.counts.values()))
    for column, by_arm in context.units.missing.items():
        absent = np.array(by_arm)
        if not absent.sum():
            continue
        share = absent.sum() / sizes.sum()
        details: dict[str, Detail] = {"column": column, "n": int(absent.sum()), "share": float(share)}
        used = sizes > 0
        table = np.array([absent[used], (sizes - absent)[used]])
        differs = (table.sum(axis=1) > 0).all() and used.sum() > 1
        p_value = float(stats.chi2_contingency(table, correction=False).pvalue) if differs else 1.0
        if p_value < MISSING_DIFFERS and context.units.cluster is None:
            yield Finding("missing_differs", Severity.WARNING, {**details, "p_value": p_value})
        else:
            harmless = column in {row.name for row in context.design.covariates}
            grave = share >= MISSING_SHARE and not harmless
            yield Finding("missing_values", Severity.WARNING if grave else Severity.INFO, details)


def check_variation(context: FileContext) -> Iterator[Finding]:
    """Report an outcome or behaviour without variation in an arm: it carries no information there."""
    columns = [(outcome.name, outcome.values) for outcome in context.units.outcomes]
    if context.units.behaviour is not None and context.design.behaviour is not None:
        columns.append((context.design.behaviour, context.units.behaviour))
    for name, values in columns:
        for label, arm_values in _by_arm(context, values):
            if len(arm_values) > 1 and arm_values.min() == arm_values.max():
                details: dict[str, Detail] = {"column": name, "variant": label, "value": float(arm_values[0])}
                yield Finding("no_variation", Severity.WARNING, details)


def check_outliers(context: FileContext) -> Iterator[Finding]:
    """Report one unit that carries a fifth of an arm's variance: it decides the interval alone."""
    for outcome in context.units.outcomes:
        if outcome.kind is not Kind.MEAN:
            continue
        for label, arm_values in _by_arm(context, outcome.values):
            details = _outlier(arm_values)
            if details is not None:
                yield Finding("outlier", Severity.WARNING, {"column": outcome.name, "variant": label, **details})


def check_rows(context: StoredContext) -> Iterator[Finding]:
    """Report units with a row in an SQL metric: its average counts others as 0, so it depends on how many have one.

    Arms are shown only once the outcome is open: having a row could itself be the outcome. The warning comes at p <
    alpha / (SQL metrics x variants), the level at which such a shift looks like an effect: 40 and 43 % of units with a
    call gave a "significant" latency in 77 % of experiments with equal latencies.
    """
    cells, plan = context.answers.cells, context.plan
    blocks = {name: block for name, block in cells.blocks.items() if block.rows is not None and block.n.sum()}
    open_, tests = context.maturity.state is State.OPEN, len(blocks) * (len(plan.arms) - 1)
    for name, block in blocks.items():
        n, rows = units_by_arm(cells, block.n), units_by_arm(cells, np.asarray(block.rows))
        if not open_:
            yield Finding("rows", Severity.INFO, {"outcome": name, "share": sum(rows.values()) / sum(n.values())})
            continue
        shares = ", ".join(f"{label} {percent(rows[label] / n[label])}" for label in n if n[label])
        details: dict[str, Detail] = {"outcome": name, "shares": shares}
        # Units of a cluster aren't independent: with clusters this test would alarm far too often.
        differences = [] if context.clusters else [rows_difference(context, name, code) for code in range(1, len(n))]
        p_value = min((difference.p_value for difference in differences if computable(difference)), default=1.0) * tests
        if p_value < plan.alpha:
            yield Finding("rows_differ", Severity.WARNING, {**details, "p_value": p_value})
        else:
            yield Finding("rows_by_group", Severity.INFO, details)


def rows_difference(context: StoredContext, outcome: str, code: int) -> Estimate | NotComputable:
    """Difference in the share of units with a row, variant minus control, within segments: splits may differ."""
    cells, block = context.answers.cells, context.answers.cells.blocks[outcome]

    def part(arm: int, segment: int) -> Mean:
        inside = (cells.variant == arm) & (cells.segment == segment)
        return Mean.from_counts(int(np.asarray(block.rows)[inside].sum()), int(block.n[inside].sum()))

    return risk_difference([(part(0, segment), part(code, segment)) for segment in range(len(cells.segments))])


def _by_arm(context: FileContext, values: Floats) -> Iterator[tuple[str, Floats]]:
    """Each arm's non-missing values."""
    for code, label in enumerate(context.units.labels):
        yield label, values[(context.units.arm == code) & ~np.isnan(values)]


def _outlier(values: Floats) -> dict[str, Detail] | None:
    if len(values) < OUTLIER_UNITS:
        return None
    squares = (values - values.mean()) ** 2
    total = squares.sum()
    worst = int(squares.argmax())
    if total == 0 or squares[worst] / total < OUTLIER_SHARE:
        return None
    return {
        "value": float(values[worst]),
        "share": float(squares[worst] / total),
        "mean": float(values.mean()),
        "mean_without": float(np.delete(values, worst).mean()),
    }
