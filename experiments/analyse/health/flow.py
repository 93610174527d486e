"""Checks for missing units and events. Pure. Thresholds without a source are ours."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import numpy as np
from scipy import stats

from experiments.analyse.codes import Detail, Finding, FindingCode, Severity
from experiments.analyse.health.context import Context, FileContext, StoredContext
from experiments.analyse.health.sample_ratio import SAMPLE_RATIO_UNITS
from experiments.plan.lab import with_and_without
from experiments.plan.record import Plan

# docs/methods/verdict.md, "Verdict", row 2: 50 units per arm.
TINY_VARIANT = 50
# p-value at which the arms differ in the share of units that are missing.
DIFFERS = 0.001
# Share of assigned units without exposure; more suggests that the flag is evaluated where nothing is shown.
UNEXPOSED_SHARE = 0.2
# Some users close the app at once; half of the exposed units without other events means lost events.
SILENT_SHARE = 0.5
# Days without enrolment after which a previously steady inflow counts as stopped by accident.
QUIET_DAYS = 2
USUAL_UNITS = 10.0
# With more, nightly figures still change after they were read.
LATE_SHARE = 0.01

EXCLUDED: tuple[FindingCode, ...] = ("missing_variant", "missing_unit", "missing_cluster")


def check_sizes(context: Context) -> Iterator[Finding]:
    """Report empty arms, which can't be compared, and arms below 50 units, which get no verdict."""
    for label, n in (context.sides or context.counts).items():
        if n == 0:
            yield Finding("empty_variant", Severity.ERROR, {"variant": label})
        elif n < TINY_VARIANT:
            yield Finding("tiny_variant", Severity.WARNING, {"variant": label, "n": n, "needed": TINY_VARIANT})


def check_left_out(context: FileContext) -> Iterator[Finding]:
    """Report rows left out because they have no variant, unit id or cluster."""
    for reason in EXCLUDED:
        n = context.units.excluded.get(reason, 0)
        if n:
            yield Finding(reason, Severity.WARNING, {"n": n, "share": n / context.units.rows})


def check_unexposed(context: StoredContext) -> Iterator[Finding]:
    """Report assigned units that were never exposed: harmless unless the arms differ in their share."""
    assigned, exposed = context.audit.assigned, context.counts
    met = {label: min(exposed.get(label, 0), assigned.get(label, 0)) for label in context.plan.arms}
    missed = {label: assigned.get(label, 0) - n for label, n in met.items()}
    n = sum(missed.values())
    if not n:
        return
    share = n / (sum(met.values()) + n)
    details: dict[str, Detail] = {"n": n, "share": share}
    # Units of a cluster aren't independent: with clusters this test would alarm far too often.
    p_value = None if context.clusters else _arms_differ(context.plan, missed, met)
    if p_value is not None and p_value < DIFFERS:
        yield Finding("unexposed_differs", Severity.WARNING, {**details, "p_value": p_value})
    elif share > UNEXPOSED_SHARE:
        yield Finding("unexposed", Severity.INFO, details)


def check_silent(context: StoredContext) -> Iterator[Finding]:
    """Report exposed units without any other event: lost events look like lost users."""
    rows = [row for row in context.answers.silent if row[1]]
    units, silent = sum(row[1] for row in rows), sum(row[2] for row in rows)
    if not silent:
        return
    details: dict[str, Detail] = {"n": silent, "share": silent / units}
    quiet = {label: n for label, _units, n in rows}
    others = {label: n - quiet[label] for label, n, _silent in rows}
    p_value = None if context.clusters else _arms_differ(context.plan, quiet, others)
    if p_value is not None and p_value < DIFFERS:
        yield Finding("silent_differs", Severity.WARNING, {**details, "p_value": p_value})
    elif silent / units >= SILENT_SHARE and units >= SAMPLE_RATIO_UNITS:
        yield Finding("silent", Severity.WARNING, details)


def check_no_cluster(context: StoredContext) -> Iterator[Finding]:
    """Report units whose first exposure names no cluster, where clusters are drawn."""
    if context.answers.no_cluster:
        yield Finding("no_cluster", Severity.WARNING, {"n": context.answers.no_cluster})


def check_no_signup(context: StoredContext) -> Iterator[Finding]:
    """Report units whose clock starts with a signup that isn't in the log."""
    if context.answers.no_signup:
        yield Finding("no_signup", Severity.WARNING, {"n": context.answers.no_signup})


def check_inflow(context: StoredContext) -> Iterator[Finding]:
    """Report enrolment that stopped although nobody ended it."""
    days = [row[0] for row in context.answers.exposures_by_day]
    if not context.running or not days:
        return
    last, first = max(days), min(days)
    per_day = sum(row[2] for row in context.answers.exposures_by_day) / ((last - first).days + 1)
    whole = context.answers.data_end.date() - timedelta(days=1)
    quiet = (whole - last).days
    if per_day >= USUAL_UNITS and quiet >= QUIET_DAYS:
        yield Finding("inflow_stopped", Severity.WARNING, {"days": quiet, "per_day": per_day, "day": last.isoformat()})


def check_late(context: StoredContext) -> Iterator[Finding]:
    """Report late events: those that arrive over 48 hours later change figures that were read already."""
    events, late = context.answers.late
    if events and late / events > LATE_SHARE:
        yield Finding("late_events", Severity.WARNING, {"n": late, "share": late / events})


def _arms_differ(plan: Plan, some: Mapping[str, int], others: Mapping[str, int]) -> float | None:
    """Whether arms differ in a share; of a lab the smallest p of its nudges, by Bonferroni.

    A lab has up to 256 sets of nudges: with a few units in each the law of one test over all of them isn't known.
    """
    if not plan.is_lab:
        return _difference_p(list(some.values()), list(others.values()))
    found = []
    for nudge in plan.nudges:
        tables = [[*with_and_without(counts, plan.arms, nudge.key)] for counts in (some, others)]
        found.append(_difference_p(*tables))
    known = [p_value for p_value in found if p_value is not None]
    return min(1.0, len(known) * min(known)) if known else None


def _difference_p(some: list[int], others: list[int]) -> float | None:
    """Likelihood-ratio test that the arms have the same share; None when a margin leaves nothing to test."""
    table = np.array([some, others], dtype=np.float64)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return None
    return float(stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue)
