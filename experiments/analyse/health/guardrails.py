"""Guardrail results shown while the outcome is still locked, so that harm is noticed before the planned end. Pure."""

from collections.abc import Iterator

from experiments.analyse.comparison.warehouse_data import CellData
from experiments.analyse.findings import Detail, Finding, Severity
from experiments.analyse.guardrail_states import GUARDRAIL_UNITS, nightly_look
from experiments.analyse.health.stored_context import StoredContext
from experiments.plan.design import kind_of
from experiments.plan.planned import Planned
from stats.results import Estimate, NotComputable, computable
from stats.sequential.looks import at_look


def guardrails_of(plan: Planned, data: CellData) -> dict[tuple[str, str], Estimate | NotComputable]:
    """By guardrail and variant the difference with an always-valid interval, whatever the plan's method."""
    found: dict[tuple[str, str], Estimate | NotComputable] = {}
    for name in (one for one in plan.guardrails if one in data.order):
        for code, label in enumerate(plan.variants[1:], start=1):
            pair = data.pair(name, code)
            if min(pair.control.n, pair.variant.n) < GUARDRAIL_UNITS:
                continue
            look = nightly_look(plan, label, pair)
            found[name, label] = at_look(pair.difference(alpha=look.nominal_alpha), look)
    return found


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
