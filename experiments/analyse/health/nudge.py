"""Does the nudge work as planned, are guardrails unharmed, and was the plan kept? Pure."""

from collections.abc import Iterator

import numpy as np

from events.metrics import first_day, parse_metric
from experiments.analyse.codes import Detail, Finding, Severity
from experiments.analyse.comparison.protocol import FEW_CLUSTERS, Comparator
from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.analyse.decision_table import GUARDRAIL_UNITS, nightly_look
from experiments.analyse.health.context import Context, FileContext, StoredContext
from experiments.plan.design import kind_of
from experiments.plan.record import Plan
from stats.instrument.encouragement import opposite_signs
from stats.results import Estimate, NotComputable, computable
from stats.sequential.looks import at_look

# Guardrail results shown while the outcome is still locked, so that harm is noticed before the planned end. Pure.


def guardrails_of(plan: Plan, data: CellData) -> dict[tuple[str, str], Estimate | NotComputable]:
    """By guardrail and variant the difference with an always-valid interval, whatever the plan's method."""
    estimates: dict[tuple[str, str], Estimate | NotComputable] = {}
    for name in (guardrail for guardrail in plan.guardrails if guardrail in data.order):
        for code, label in enumerate(plan.arms[1:], start=1):
            pair = data.pair(name, code)
            if min(pair.control.n, pair.variant.n) < GUARDRAIL_UNITS:
                continue
            look = nightly_look(plan, label, pair)
            estimates[name, label] = at_look(pair.difference(alpha=look.nominal_alpha), look)
    return estimates


def check_guardrails(context: StoredContext) -> Iterator[Finding]:
    """Report guardrails that moved: always-valid p-values, with Bonferroni over all of them.

    A guardrail with a registered direction raises no alarm when it improves.
    """
    tests = {key: row for key, row in context.guardrails.items() if computable(row)}
    for (outcome, variant), row in tests.items():
        p_value = min(1.0, row.p_value * len(tests))
        rule = context.plan.guardrail_rules.get(outcome)
        better = rule is not None and (row.estimate > 0) == (rule.direction == "higher")
        if p_value < context.plan.alpha and not better:
            details: dict[str, Detail] = {
                "outcome": outcome,
                "variant": variant,
                "kind": str(kind_of(outcome)),
                "estimate": row.estimate,
                "low": row.low,
                "high": row.high,
                "p_value": p_value,
            }
            yield Finding("guardrail", Severity.WARNING, details)


# Checks for group assignment and for too few groups. Source: docs/methods/clusters.md, "Cluster robust". Pure.

# Effective clusters below this share of the clusters: sizes are unequal enough to be reported.
UNEQUAL_CLUSTERS = 0.8


def check_unit_of_assignment(context: FileContext) -> Iterator[Finding]:
    """Report rows of a group that always share a variant: assigned together, they aren't independent."""
    hint = context.units.group_hint
    if hint is not None and context.design.cluster is None:
        details: dict[str, Detail] = {"column": hint.column, "groups": hint.groups, "rows": hint.rows}
        yield Finding("unit_of_assignment", Severity.WARNING, details)


def check_clusters(context: Context) -> Iterator[Finding]:
    """Report too few effective clusters, and clusters in several variants, which weren't assigned as a whole."""
    if not context.clusters:
        return
    label, fewest = min(context.clusters.items(), key=lambda row: row[1].effective)
    details: dict[str, Detail] = {"variant": label, "n": fewest.clusters, "effective": round(fewest.effective, 1)}
    if fewest.effective < FEW_CLUSTERS:
        yield Finding("few_clusters", Severity.WARNING, {**details, "needed": FEW_CLUSTERS})
    elif fewest.effective < UNEQUAL_CLUSTERS * fewest.clusters:
        yield Finding("unequal_clusters", Severity.INFO, details)
    if context.mixed:
        yield Finding("mixed_clusters", Severity.WARNING, {"n": context.mixed, "clusters": context.all_clusters})


# Checks of the plan and notes on this reading. Pure.


def check_progress(context: StoredContext) -> Iterator[Finding]:
    """Notes on the reading, and on what a person should do next."""
    if context.maturity.peeked:
        yield Finding("peeked", Severity.WARNING, {"share": context.maturity.fraction})
    before = [look for look in context.earlier if look.peeked]
    if before and not context.maturity.peeked:
        yield Finding("peeked_before", Severity.WARNING, {"day": before[0].on.isoformat(), "share": before[0].fraction})
    if not context.plan.same_split:
        yield Finding("split_differs", Severity.INFO)
    planned = context.plan.planned_units
    if context.running and planned and sum(context.maturity.exposed.values()) >= planned:
        yield Finding("planned_size_reached", Severity.INFO, {"n": planned})


def check_windows(context: StoredContext) -> Iterator[Finding]:
    """The behaviour's window must end before the outcome's begins: docs/methods/discovery.md, "Window guard"."""
    claim = context.plan.claim
    if claim is None:
        return
    for name in context.plan.primary:
        begins = first_day(parse_metric(name))
        if begins is not None and begins < claim.days:
            details: dict[str, Detail] = {"outcome": name, "days": claim.days, "day": begins}
            yield Finding("window_overlap", Severity.ERROR, details, invalid="window_overlap")


def check_plan(context: StoredContext) -> Iterator[Finding]:
    """Report a plan that was changed without a logged amendment (verdict INVALID), and list logged amendments."""
    if not context.history.intact:
        yield Finding("plan_changed", Severity.ERROR, {}, invalid="plan_changed")
    if context.history.amendments:
        yield Finding("amended", Severity.INFO, {"n": len(context.history.amendments)})


# Checks of the nudge and the placebo: whether they move the behaviour as planned, or leave it alone. Pure.

# Ours: a nudge that moves less than a quarter of the planned take-up needs at least 16 times the planned units.
SHARE_OF_PLANNED_TAKE_UP = 0.25


def check_behaviour(context: FileContext) -> Iterator[Finding]:
    """A behaviour that equals the variant is the assignment under another name."""
    behaviour, column = context.units.behaviour, context.design.behaviour
    if behaviour is None or column is None or len(behaviour) == 0:
        return
    if np.array_equal(behaviour, (context.units.arm != 0).astype(float)):
        yield Finding("behaviour_is_variant", Severity.WARNING, {"column": column})


def check_first_stage(context: StoredContext) -> Iterator[Finding]:
    """Report a take-up far below plan: it can be seen, and fixed, long before the outcome is known.

    For planning only: the planned take-up is no evidence of what the nudge did. Source: docs/methods/verdict.md.
    """
    of_nudges = {nudge.key: nudge.take_up for nudge in context.plan.nudges}
    for row in context.first_stage:
        planned = of_nudges.get(row.variant, context.plan.expected_take_up)
        if planned is None or not computable(row.take_up) or row.variant == context.placebo:
            continue
        if row.take_up.high < SHARE_OF_PLANNED_TAKE_UP * planned:
            details: dict[str, Detail] = {
                "variant": row.variant,
                "take_up": row.take_up.difference,
                "take_up_high": row.take_up.high,
                "take_up_planned": planned,
            }
            yield Finding("take_up_below_plan", Severity.INFO, details)


def check_first_stage_signs(context: StoredContext) -> Iterator[Finding]:
    """Report segments in which a nudge lowers the behaviour: there monotonicity fails.

    Source: docs/methods/encouragement.md, "First stage".
    """
    for row in context.first_stage:
        opposed = opposite_signs({name: estimate for name, estimate in row.by_segment if computable(estimate)})
        if opposed and row.variant != context.placebo:
            details: dict[str, Detail] = {"variant": row.variant, "segments": ", ".join(opposed)}
            yield Finding("first_stage_signs", Severity.WARNING, details)


def check_placebo(context: Context) -> Iterator[Finding]:
    """Report whether the placebo leaves the behaviour alone, which is shown by an equivalence test.

    Source: Schuirmann 1987; docs/methods/encouragement.md, "Placebo arm".
    """
    if context.placebo is None:
        return
    lines: list[Finding] = []
    for comparator in context.comparators.values():
        line = _placebo_line(context.placebo, comparator)
        if line is not None and line not in lines:
            lines.append(line)
    yield from lines


def _placebo_line(placebo: str, one: Comparator) -> Finding | None:
    """The finding about the placebo from one nudge's comparator; None without a test."""
    test, details = one.equivalence, dict[str, Detail](variant=placebo)
    if test is None or not computable(test):
        return None
    details |= {"take_up": test.effect, "take_up_low": test.low, "take_up_high": test.high}
    details |= {"take_up_bound": test.bound}
    return Finding("placebo_serves" if test.shown else "placebo_moves_too", Severity.INFO, details)
