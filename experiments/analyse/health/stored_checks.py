"""Can a stored experiment be trusted? One small function per check; thresholds and their sources on top. Pure.

These checks read the warehouse's answers and the plan; `experiments.analyse.health.file_checks` has those of a file.
They are shown while the outcome is still locked, guardrails included: harm must not wait for the planned end.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
from scipy import stats

from events.metrics import first_day, parse_metric
from experiments.analyse.comparator import placebo_findings
from experiments.analyse.gather.answers import Cells
from experiments.analyse.health.context import Context, exposed_by_arm
from experiments.analyse.health.file_checks import (
    BALANCE_ALARM,
    SAMPLE_RATIO_UNITS,
    SEVERAL_VARIANTS_SHARE,
    SEVERAL_VARIANTS_UNITS,
    TINY_VARIANT,
    Detail,
    Finding,
    Severity,
    sorted_findings,
)
from experiments.analyse.health.senders import check_not_admitted, check_unverified
from experiments.analyse.health.split import (
    check_sample_ratio,
    check_sample_ratio_by_segment,
    check_sample_ratio_mature,
    check_sample_ratio_over_time,
)
from experiments.plan.design import kind_of
from stats.instrument.encouragement import opposite_signs
from stats.results import computable

# METHODS 4.2: share of stored arms that differ from the recomputed hash.
AUDIT_SHARE = 0.001
# Ours: of a thousand exposed units some always close the app at once; half of them silent means lost events.
SILENT_SHARE = 0.5
DIFFERS = 0.001
# Ours: beyond this, nightly figures still move after they were read.
LATE_SHARE = 0.01
# Ours: an experiment that enrolled ten units a day and then none for two whole days has stopped by accident.
QUIET_DAYS = 2
USUAL_UNITS = 10.0
# Ours: assigned units that never met their variant; more is a flag evaluated where nothing is shown.
UNEXPOSED_SHARE = 0.2
# Ours: a nudge that surely moves less than a quarter of what was planned needs at least 16 times the planned units.
SHARE_OF_PLANNED_TAKE_UP = 0.25
# The confidence sequence rests on near normality (METHODS 4.8).
GUARDRAIL_UNITS = 100


def check_several_variants(context: Context) -> Iterator[Finding]:
    """Units seen in several variants are left out; many mean that assignment leaks. Source: METHODS 4.2."""
    seen = context.answers.several_variants
    if not seen:
        return
    share = seen / (seen + sum(exposed_by_arm(context.answers).values()))
    leaks = share >= SEVERAL_VARIANTS_SHARE and seen >= SEVERAL_VARIANTS_UNITS
    yield Finding(
        "several_variants",
        Severity.ERROR if leaks else Severity.WARNING,
        {"n": seen, "share": share},
        invalid="multi_exposure" if leaks else None,
    )


def check_unknown_variants(context: Context) -> Iterator[Finding]:
    """Exposures that name an arm which the plan doesn't have."""
    for label, n in context.answers.unknown_variants.items():
        yield Finding("unknown_variant", Severity.WARNING, {"variant": label, "n": n})


def check_assignments(context: Context) -> Iterator[Finding]:
    """Stored arms against their draws, computed again: more than .1 % differ. Source: METHODS 4.2."""
    audit = context.audit
    if audit.checked and audit.differ / audit.checked > AUDIT_SHARE:
        share = audit.differ / audit.checked
        details: dict[str, Detail] = {"n": audit.differ, "checked": audit.checked, "share": share}
        yield Finding("bucket_mismatch", Severity.ERROR, details, invalid="bucket_mismatch")


def check_unexposed(context: Context) -> Iterator[Finding]:
    """Assigned units that never met their variant: harmless for the comparison unless the arms differ in it."""
    assigned, exposed = context.audit.assigned, exposed_by_arm(context.answers)
    met = [min(exposed.get(label, 0), assigned.get(label, 0)) for label in context.plan.variants]
    missed = [assigned.get(label, 0) - n for label, n in zip(context.plan.variants, met, strict=True)]
    total = sum(met) + sum(missed)
    if not total or not sum(missed):
        return
    details: dict[str, Detail] = {"n": sum(missed), "share": sum(missed) / total}
    p_value = _two_rows_p(missed, met)
    if p_value is not None and p_value < DIFFERS:
        yield Finding("unexposed_differs", Severity.WARNING, {**details, "p_value": p_value})
    elif details["share"] > UNEXPOSED_SHARE:  # type: ignore[operator]
        yield Finding("unexposed", Severity.INFO, details)


def check_silent(context: Context) -> Iterator[Finding]:
    """Exposed units without any event of their own: lost events look like lost users."""
    rows = [row for row in context.answers.silent if row[1]]
    units, silent = sum(row[1] for row in rows), sum(row[2] for row in rows)
    if not silent:
        return
    details: dict[str, Detail] = {"n": silent, "share": silent / units}
    p_value = _two_rows_p([row[2] for row in rows], [row[1] - row[2] for row in rows])
    if p_value is not None and p_value < DIFFERS:
        yield Finding("silent_differs", Severity.WARNING, {**details, "p_value": p_value})
    elif silent / units >= SILENT_SHARE and units >= SAMPLE_RATIO_UNITS:
        yield Finding("silent", Severity.WARNING, details)


def check_no_signup(context: Context) -> Iterator[Finding]:
    """Units whose clock starts with a signup that isn't in the log."""
    if context.answers.no_signup:
        yield Finding("no_signup", Severity.WARNING, {"n": context.answers.no_signup})


def check_balance(context: Context) -> Iterator[Finding]:
    """Do the covariates predict the arm? Likelihood-ratio test of each, Bonferroni, p < .001. Source: METHODS 4.2."""
    cells = context.answers.cells
    tests = {name: p for place, name in enumerate(cells.covariates) if (p := _balance_p(cells, place)) is not None}
    if not tests:
        return
    name = min(tests, key=lambda one: tests[one])
    p_value = min(1.0, tests[name] * len(tests))
    if p_value < BALANCE_ALARM:
        yield Finding("imbalance_in", Severity.WARNING, {"column": name, "p_value": p_value})


def check_first_stage(context: Context) -> Iterator[Finding]:
    """A take-up far below plan can be seen, and mended, long before the outcome is known.

    A note of planning: how much was hoped for says nothing of what the nudge did. Source: METHODS 5.
    """
    planned = context.plan.take_up
    for row in context.first_stage:
        if planned is None or not computable(row.take_up) or row.variant == context.plan.placebo:
            continue
        if row.take_up.high < SHARE_OF_PLANNED_TAKE_UP * planned:
            details: dict[str, Detail] = {
                "variant": row.variant, "take_up": row.take_up.difference, "take_up_high": row.take_up.high,
                "take_up_planned": planned,
            }  # fmt: skip
            yield Finding("take_up_below_plan", Severity.INFO, details)


def check_placebo(context: Context) -> Iterator[Finding]:
    """Whether the placebo may stand in for control: shown by equivalence. Source: METHODS 4.14."""
    if context.plan.placebo is not None:
        yield from placebo_findings(context.plan.placebo, context.comparators)


def check_first_stage_signs(context: Context) -> Iterator[Finding]:
    """A nudge that keeps some segment from the behaviour breaks monotonicity there. Source: METHODS 4.12."""
    for row in context.first_stage:
        opposed = opposite_signs({name: found for name, found in row.by_segment if computable(found)})
        if opposed and row.variant != context.plan.placebo:
            details: dict[str, Detail] = {"variant": row.variant, "segments": ", ".join(opposed)}
            yield Finding("first_stage_signs", Severity.WARNING, details)


def check_inflow(context: Context) -> Iterator[Finding]:
    """Enrolment that stopped without anybody stopping it."""
    days = [row[0] for row in context.answers.exposures_by_day]
    if not context.running or not days:
        return
    last, first = max(days), min(days)
    per_day = sum(row[2] for row in context.answers.exposures_by_day) / ((last - first).days + 1)
    whole = context.answers.data_end.date() - timedelta(days=1)
    quiet = (whole - last).days
    if per_day >= USUAL_UNITS and quiet >= QUIET_DAYS:
        yield Finding("inflow_stopped", Severity.WARNING, {"days": quiet, "per_day": per_day, "day": last.isoformat()})


def check_late(context: Context) -> Iterator[Finding]:
    """Events that arrive days later move figures that were read already."""
    events, late = context.answers.late
    if events and late / events > LATE_SHARE:
        yield Finding("late_events", Severity.WARNING, {"n": late, "share": late / events})


def check_guardrails(context: Context) -> Iterator[Finding]:
    """Guardrails that moved, at any look: their p-values allow daily looking; Bonferroni over all of them."""
    tests = {key: row for key, row in context.guardrails.items() if computable(row)}
    for (outcome, variant), row in tests.items():
        p_value = min(1.0, row.p_value * len(tests))
        if p_value < context.plan.alpha:
            details: dict[str, Detail] = {
                "outcome": outcome, "variant": variant, "kind": str(kind_of(outcome)), "estimate": row.estimate,
                "low": row.low, "high": row.high, "p_value": p_value,
            }  # fmt: skip
            yield Finding("guardrail", Severity.WARNING, details)


def check_windows(context: Context) -> Iterator[Finding]:
    """The behaviour's days must end before the outcome's begin: being around is the outcome. Source: METHODS 2.4."""
    claim = context.plan.claim
    if claim is None:
        return
    for name in context.plan.primary:
        begins = first_day(parse_metric(name))
        if begins is not None and begins < claim.days:
            details: dict[str, Detail] = {"outcome": name, "days": claim.days, "day": begins}
            yield Finding("window_overlap", Severity.ERROR, details, invalid="window_overlap")


def check_plan(context: Context) -> Iterator[Finding]:
    """A plan that changed without a trace can't be held against the result; logged changes are named."""
    if not context.plan.intact:
        yield Finding("plan_changed", Severity.ERROR, {}, invalid="plan_changed")
    if context.plan.amendments:
        yield Finding("amended", Severity.INFO, {"n": len(context.plan.amendments)})


def check_sizes(context: Context) -> Iterator[Finding]:
    """Empty arms can't be compared, and below 50 units no verdict is given."""
    for label, n in exposed_by_arm(context.answers).items():
        if n == 0:
            yield Finding("empty_variant", Severity.ERROR, {"variant": label})
        elif n < TINY_VARIANT:
            yield Finding("tiny_variant", Severity.WARNING, {"variant": label, "n": n, "needed": TINY_VARIANT})


def check_progress(context: Context) -> Iterator[Finding]:
    """What a person should do next, or know about the reading."""
    if context.standing.peeked:
        yield Finding("peeked", Severity.WARNING, {"share": context.standing.fraction})
    before = [look for look in context.earlier if look.peeked]
    if before and not context.standing.peeked:
        yield Finding("peeked_before", Severity.WARNING, {"day": before[0].on.isoformat(), "share": before[0].fraction})
    if not context.plan.same_split:
        yield Finding("split_differs", Severity.INFO)
    planned = context.plan.planned_units
    if context.running and planned and sum(context.standing.exposed.values()) >= planned:
        yield Finding("planned_size_reached", Severity.INFO, {"n": planned})


CHECKS: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    check_progress,  # a peek is the first line of a report that isn't broken
    check_sample_ratio,
    check_sample_ratio_mature,
    check_sample_ratio_by_segment,
    check_sample_ratio_over_time,
    check_not_admitted,
    check_unverified,
    check_several_variants,
    check_unknown_variants,
    check_assignments,
    check_windows,
    check_plan,
    check_sizes,
    check_silent,
    check_unexposed,
    check_no_signup,
    check_balance,
    check_first_stage,
    check_placebo,
    check_first_stage_signs,
    check_inflow,
    check_late,
    check_guardrails,
)


def examine(context: Context) -> tuple[Finding, ...]:
    """Run every check; the gravest findings first. A check that breaks becomes a finding itself."""
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found.extend(check(context))
        except (ArithmeticError, ValueError, IndexError, KeyError) as error:
            details = {"check": check.__name__, "error": type(error).__name__}
            found.append(Finding("check_failed", Severity.WARNING, details))
    return sorted_findings(found)


def _two_rows_p(first: list[int], second: list[int]) -> float | None:
    return _table_p(np.array([first, second], dtype=np.float64))


def _balance_p(cells: Cells, place: int) -> float | None:
    """Likelihood-ratio test of one covariate against the arm inside segments, whose shares may differ by plan."""
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


def _table_p(table: np.ndarray) -> float | None:
    """Likelihood-ratio test of independence; None when a margin leaves nothing to test."""
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    if min(table.shape) < 2:
        return None
    return float(stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue)
