"""The decision table of a plan: ship, don't, wait, or what was registered for "neither is proved". Pure.

Its rows are in `Ground`, and the first that holds decides. The decision is about the nudge; the verdict is about the
behaviour. Source: docs/methods/decision.md; Schultzberg, Ankargren, Franberg 2024, decision rule 2.
"""

from collections.abc import Mapping, Sequence

from experiments.analyse.codes import Code
from experiments.analyse.comparison.protocol import Pair
from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.analyse.effects import Comparison
from experiments.analyse.outcome_lock import looks_of, planned_pair
from experiments.analyse.result import (
    AnalysisResult,
    ArmRuling,
    Decision,
    Ground,
    GuardrailState,
    LookTaken,
    Opened,
    Ruling,
)
from experiments.analyse.verdict import MIN_UNITS
from experiments.plan.design import kind_of
from experiments.plan.record import Plan
from stats.results import Estimate, NotComputable, Reason, computable
from stats.sequential.looks import Look, at_look
from stats.sequential.non_inferiority import Judged, Safety, judge, one_sided

# Each guardrail of each variant: unharmed, harmed, or unknown. Pure.
#
# Harm is tested every night by a confidence sequence, and again at the plan's looks: together they raise a false
# alarm in at most alpha of experiments. "Unharmed" is shown at the level of the look.

# Units per arm; the confidence sequence assumes near normality (docs/methods/comparison.md).
GUARDRAIL_UNITS = 100


def guardrail_states(
    plan: Plan, data: CellData, looks: Mapping[str, Look], variants: tuple[str, ...]
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


def nightly_look(plan: Plan, label: str, pair: Pair) -> Look:
    """The confidence sequence by which guardrails may be read at any time, whatever the plan's method."""
    units = pair.control.n + pair.variant.n
    return Look(plan.alpha, "always_valid", units=units, planned_units=planned_pair(plan, label))


def _state(plan: Plan, data: CellData, name: str, label: str, look: Look | None, tests: int) -> GuardrailState:
    pair = data.pair(name, plan.arms.index(label))
    rule = plan.guardrail_rules.get(name)
    fewest = min(pair.control.n, pair.variant.n)
    night = nightly_look(plan, label, pair) if fewest >= GUARDRAIL_UNITS else None
    seen = [candidate for candidate in (look if fewest >= MIN_UNITS else None, night) if candidate is not None]
    shown: Estimate | NotComputable = NotComputable(Reason.TOO_FEW_UNITS)
    judged: list[Judged] = []
    for two_sided in seen:
        difference, narrow = (
            at_look(pair.difference(alpha=used.nominal_alpha), used) for used in (two_sided, one_sided(two_sided))
        )
        if two_sided is seen[0]:
            shown = difference
        if computable(difference) and computable(narrow):
            judged.append(
                judge(
                    difference,
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
    harmed = any(judgement.safety is Safety.HARM for judgement in judged)
    return (Safety.HARM if harmed else judged[0].safety), judged[0].loss


def decide_by_plan(result: AnalysisResult, data: CellData, earlier: Sequence[LookTaken]) -> Decision:
    """Apply the registered decision table to a result, whether its outcome is open or locked.

    Args:
        result: with its maturity and, once opened, verdict and report.
        data: of the warehouse, for the guardrails.
        earlier: looks taken before, oldest first.
    """
    plan, maturity = result.plan, result.maturity
    variants = tuple(label for label in plan.arms[1:] if label != plan.placebo_arm)
    # A peek isn't a planned look and its interval guarantees nothing, so guardrails follow the nightly sequence.
    look = result if isinstance(result, Opened) and not maturity.peeked else None
    looks: Mapping[str, Look] = {} if look is None else looks_of(plan, maturity, earlier)
    states = guardrail_states(plan, data, looks, variants)
    invalid = result.verdict is not None and result.verdict.code is Code.INVALID
    arms = tuple(
        rule_on(
            label,
            [state for state in states if state.variant == label],
            effects=() if look is None else effects_of(look, label),
            invalid=invalid,
            final=maturity.final and look is not None,
            otherwise=plan.otherwise,
        )
        for label in variants
    )
    leads = _leading(result, arms)
    return Decision(leads.ruling, leads.ground, leads.variant, arms, states, plan.otherwise)


def rule_on(
    variant: str,
    guardrails: Sequence[GuardrailState],
    *,
    effects: Sequence[int],
    invalid: bool,
    final: bool,
    otherwise: str,
) -> ArmRuling:
    """The first row of the table that holds, for one variant.

    Args:
        variant: that could be shipped.
        guardrails: what is known of each of its guardrails.
        effects: of the primary outcomes what is proved, 1 for a gain, -1 for a loss, 0 for neither; empty while locked.
        invalid: the data can't answer.
        final: True when enrolment has ended and all exposed units are mature.
        otherwise: `ship`, `dont` or `ask`.
    """
    harmed = tuple(state.outcome for state in guardrails if state.safety is Safety.HARM)
    unknown = tuple(state.outcome for state in guardrails if state.safety is Safety.UNKNOWN)
    success = 1 in effects

    def ruled(ruling: Ruling, ground: Ground) -> ArmRuling:
        return ArmRuling(variant, ruling, ground, success, unknown, harmed)

    if invalid:
        return ruled(Ruling.DONT, Ground.INVALID)
    if harmed:
        return ruled(Ruling.DONT, Ground.GUARDRAIL_HARM)
    if -1 in effects:
        return ruled(Ruling.DONT, Ground.OUTCOME_HARM)
    if success and not unknown:
        return ruled(Ruling.SHIP, Ground.PROVED)
    if not final:
        return ruled(Ruling.WAIT, Ground.NOT_YET)
    return ruled(Ruling(otherwise), Ground.AS_REGISTERED)


def effects_of(opened: Opened, variant: str) -> tuple[int, ...]:
    """Proved direction of each primary outcome of a variant (1, -1 or 0), as the plan's family judges it.

    A gain below the smallest effect of interest is no success. A bound that was crossed at an earlier look stays
    crossed.
    """
    report, verdict = opened.report, opened.verdict
    crossed = verdict.reason == "crossed" and verdict.details.get("variant") == variant
    directions = [
        _proved(row, opened.plan)
        for outcome in report.outcomes
        if outcome.name in opened.plan.primary
        for row in outcome.comparisons
        if row.variant == variant
    ]
    if crossed:
        directions.append(1 if float(verdict.details["estimate"]) > 0 else -1)
    return tuple(directions)


def _proved(row: Comparison, plan: Plan) -> int:
    if not computable(row.difference) or not computable(row.adjusted_p) or row.adjusted_p >= plan.alpha:
        return 0
    if row.verdict.code is Code.NO_MATERIAL_EFFECT:
        return 0
    return 1 if row.difference.estimate > 0 else -1


def _leading(result: AnalysisResult, arms: Sequence[ArmRuling]) -> ArmRuling:
    """The arm that the verdict rests on; while the outcome is locked, the arm with the most favourable ruling."""
    if isinstance(result, Opened):
        return next(arm for arm in arms if arm.variant == result.report.leading)
    order = (Ruling.WAIT, Ruling.SHIP, Ruling.ASK, Ruling.DONT)
    best = min(arms, key=lambda arm: order.index(arm.ruling))
    return best if len(arms) == 1 else ArmRuling("", best.ruling, best.ground, False, best.unknown, best.harmed)
