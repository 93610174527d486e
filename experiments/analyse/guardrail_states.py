"""Each guardrail of each variant: unharmed, harmed, or unknown. Pure.

Harm is tested every night by a confidence sequence, and again at the plan's looks: together they raise a false alarm in
at most alpha of experiments. "Unharmed" is shown at the level of the look.
"""

from collections.abc import Mapping

from experiments.analyse.comparison.warehouse_data import CellData
from experiments.analyse.decision_record import GuardrailState
from experiments.analyse.outcome_lock import planned_pair
from experiments.analyse.protocol import Pair
from experiments.analyse.verdict import MIN_UNITS
from experiments.plan.design import kind_of
from experiments.plan.planned import Planned
from stats.results import Estimate, NotComputable, Reason, computable
from stats.sequential.looks import Look, at_look
from stats.sequential.non_inferiority import Judged, Safety, judge, one_sided

# Units per arm; the confidence sequence assumes near normality (docs/methods/comparison.md).
GUARDRAIL_UNITS = 100


def guardrail_states(
    plan: Planned, data: CellData, looks: Mapping[str, Look], variants: tuple[str, ...]
) -> tuple[GuardrailState, ...]:
    """The state of every guardrail.

    Args:
        plan: with the rules of its guardrails.
        data: of the warehouse.
        looks: by variant, how the plan judges it now; empty while the outcome is locked or was only peeked at.
        variants: that could be shipped.
    """
    names = [name for name in plan.guardrails if name in data.order]
    tests = max(len(names) * len(variants), 1)
    return tuple(_state(plan, data, name, label, looks.get(label), tests) for name in names for label in variants)


def nightly_look(plan: Planned, label: str, pair: Pair) -> Look:
    """The confidence sequence by which guardrails may be read at any time, whatever the plan's method."""
    units = pair.control.n + pair.variant.n
    return Look(plan.alpha, "always_valid", units=units, planned_units=planned_pair(plan, label))


def _state(plan: Planned, data: CellData, name: str, label: str, look: Look | None, tests: int) -> GuardrailState:
    pair = data.pair(name, plan.variants.index(label))
    rule = plan.guardrail_rules.get(name)
    fewest = min(pair.control.n, pair.variant.n)
    night = nightly_look(plan, label, pair) if fewest >= GUARDRAIL_UNITS else None
    seen = [one for one in (look if fewest >= MIN_UNITS else None, night) if one is not None]
    shown: Estimate | NotComputable = NotComputable(Reason.TOO_FEW_UNITS)
    judged: list[Judged] = []
    for one in seen:
        found, narrow = (at_look(pair.difference(alpha=used.nominal_alpha), used) for used in (one, one_sided(one)))
        if one is seen[0]:
            shown = found
        if computable(found) and computable(narrow):
            judged.append(
                judge(
                    found,
                    narrow,
                    higher_is_better=rule is None or rule.direction == "higher",
                    margin=None if rule is None else rule.margin,
                    alpha=plan.alpha,
                    tests=tests,
                )
            )
    safety, loss = _together(judged)
    return GuardrailState(
        outcome=name,
        kind=str(kind_of(name)),
        variant=label,
        direction="" if rule is None else rule.direction,
        margin=None if rule is None else rule.margin,
        difference=shown,
        loss=loss if rule is not None else NotComputable(Reason.NO_GUARDRAIL_RULE),
        safety=Safety.UNKNOWN if rule is None else safety,
    )


def _together(judged: list[Judged]) -> tuple[Safety, float | NotComputable]:
    """Combine the look with the nightly sequence: either may find harm, but only the look can show "no harm"."""
    if not judged:
        return Safety.UNKNOWN, NotComputable(Reason.TOO_FEW_UNITS)
    harmed = any(one.safety is Safety.HARM for one in judged)
    return (Safety.HARM if harmed else judged[0].safety), judged[0].loss
