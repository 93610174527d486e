"""The decision table of a plan: ship, don't, wait, or what was registered for "neither is proved". Pure.

Its rows are in `Ground`, and the first that holds decides. The decision is about the nudge; the verdict is about the
behaviour. Source: docs/methods/decision.md; Schultzberg, Ankargren, Franberg 2024, decision rule 2.
"""

from collections.abc import Mapping, Sequence

from experiments.analyse.codes import Code
from experiments.analyse.comparison.warehouse_data import CellData
from experiments.analyse.decision_record import ArmRuling, Decision, Ground, GuardrailState, Ruling
from experiments.analyse.effects import Comparison
from experiments.analyse.guardrail_states import guardrail_states
from experiments.analyse.outcome_lock import looks_of
from experiments.analyse.result import LookTaken, Readout, State
from experiments.plan.planned import Planned
from stats.results import computable
from stats.sequential.looks import Look
from stats.sequential.non_inferiority import Safety


def decide_by_plan(readout: Readout, data: CellData, earlier: Sequence[LookTaken]) -> Decision:
    """Apply the registered decision table to a readout, whether its outcome is open or locked.

    Args:
        readout: with its standing, verdict and report.
        data: of the warehouse, for the guardrails.
        earlier: looks taken before, oldest first.
    """
    plan, standing = readout.plan, readout.standing
    variants = tuple(label for label in plan.variants[1:] if label != plan.placebo)
    # A peek isn't a planned look and its interval guarantees nothing, so guardrails follow the nightly sequence.
    is_look = standing.state is State.OPEN and not standing.peeked
    looks: Mapping[str, Look] = looks_of(plan, standing, earlier) if is_look else {}
    states = guardrail_states(plan, data, looks, variants)
    invalid = readout.verdict is not None and readout.verdict.code is Code.INVALID
    arms = tuple(
        rule_on(
            label,
            [state for state in states if state.variant == label],
            effects=effects_of(readout, label) if is_look else (),
            invalid=invalid,
            final=standing.final and is_look,
            otherwise=plan.otherwise,
        )
        for label in variants
    )
    leads = _leading(readout, arms)
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


def effects_of(readout: Readout, variant: str) -> tuple[int, ...]:
    """Proved direction of each primary outcome of a variant (1, -1 or 0), as the plan's family judges it.

    A gain below the smallest effect of interest is no success. A bound that was crossed at an earlier look stays
    crossed.
    """
    report, verdict = readout.report, readout.verdict
    if report is None:
        return ()
    crossed = verdict is not None and verdict.reason == "crossed" and verdict.details.get("variant") == variant
    found = [
        _proved(row, readout.plan)
        for outcome in report.outcomes
        if outcome.name in readout.plan.primary
        for row in outcome.comparisons
        if row.variant == variant
    ]
    if crossed and verdict is not None:
        found.append(1 if float(verdict.details["estimate"]) > 0 else -1)
    return tuple(found)


def _proved(row: Comparison, plan: Planned) -> int:
    if not computable(row.difference) or not computable(row.adjusted_p) or row.adjusted_p >= plan.alpha:
        return 0
    if row.verdict.code is Code.NO_MATERIAL_EFFECT:
        return 0
    return 1 if row.difference.estimate > 0 else -1


def _leading(readout: Readout, arms: Sequence[ArmRuling]) -> ArmRuling:
    """The arm that the verdict rests on; while the outcome is locked, the arm with the most favourable ruling."""
    if readout.report is not None:
        return next(arm for arm in arms if arm.variant == readout.report.leading)
    order = (Ruling.WAIT, Ruling.SHIP, Ruling.ASK, Ruling.DONT)
    best = min(arms, key=lambda arm: order.index(arm.ruling))
    return best if len(arms) == 1 else ArmRuling("", best.ruling, best.ground, False, best.unknown, best.harmed)
