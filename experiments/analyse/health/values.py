"""Checks of a file's values, and of rows in SQL metrics. Pure. Thresholds without a source are ours."""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from experiments.analyse.findings import Detail, Finding, Severity
from experiments.analyse.health.file_context import FileContext
from experiments.analyse.health.stored_context import StoredContext
from experiments.analyse.outcome_lock import units_by_arm
from experiments.analyse.result import State
from experiments.plan.design import Floats, Kind
from reporting.numbers import percent
from stats.results import Estimate, NotComputable, computable
from stats.stratified import risk_difference
from stats.summaries import Mean

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
        for label, kept in _by_arm(context, values):
            if len(kept) > 1 and kept.min() == kept.max():
                details: dict[str, Detail] = {"column": name, "variant": label, "value": float(kept[0])}
                yield Finding("no_variation", Severity.WARNING, details)


def check_outliers(context: FileContext) -> Iterator[Finding]:
    """Report one unit that carries a fifth of an arm's variance: it decides the interval alone."""
    for outcome in context.units.outcomes:
        if outcome.kind is not Kind.MEAN:
            continue
        for label, kept in _by_arm(context, outcome.values):
            details = _outlier(kept)
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
    open_, tests = context.standing.state is State.OPEN, len(blocks) * (len(plan.variants) - 1)
    for name, block in blocks.items():
        n, rows = units_by_arm(cells, block.n), units_by_arm(cells, np.asarray(block.rows))
        if not open_:
            yield Finding("rows", Severity.INFO, {"outcome": name, "share": sum(rows.values()) / sum(n.values())})
            continue
        shares = ", ".join(f"{label} {percent(rows[label] / n[label])}" for label in n if n[label])
        details: dict[str, Detail] = {"outcome": name, "shares": shares}
        # Units of a cluster aren't independent: with clusters this test would alarm far too often.
        found = [] if context.clusters else [rows_difference(context, name, code) for code in range(1, len(n))]
        p_value = min((one.p_value for one in found if computable(one)), default=1.0) * tests
        if p_value < plan.alpha:
            yield Finding("rows_differ", Severity.WARNING, {**details, "p_value": p_value})
        else:
            yield Finding("rows_by_group", Severity.INFO, details)


def rows_difference(context: StoredContext, outcome: str, code: int) -> Estimate | NotComputable:
    """Difference in the share of units with a row, variant minus control, within segments: splits may differ."""
    cells, block = context.answers.cells, context.answers.cells.blocks[outcome]

    def part(arm: int, segment: int) -> Mean:
        kept = (cells.variant == arm) & (cells.segment == segment)
        return Mean.from_counts(int(np.asarray(block.rows)[kept].sum()), int(block.n[kept].sum()))

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
