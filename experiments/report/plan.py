"""The plan as registered, its amendments, and the decision as the plan registered it. Pure."""

from typing import Any

from aha.made_names import hypothesis
from events.metrics import display_name
from experiments.analyse.result import AnalysisResult, ArmRuling, Decision, Ground, GuardrailState, Ruling
from experiments.plan.derived import saturations
from experiments.plan.design import Kind, kind_of
from experiments.plan.record import FIELDS, UNADJUSTED, WHOLE, Plan, Predictor
from experiments.report.estimates import effect_cells, level_heading, number_cell
from experiments.report.names import (
    clock_words,
    metric_sentence,
    metric_words,
    other_words,
    otherwise_words,
    rule_words,
    table_words,
)
from reporting.document import chosen, outward
from reporting.numbers import between, count, day_text, decimal, effect_text, percent, planned_text
from reporting.table import Part, Row, Section, Table
from reporting.words import days_words, gettext, times_words
from stats.sequential.non_inferiority import Safety

# Ship it or not: the decision by the registered table, and the state of each guardrail. Pure.


def registered_decision_section(readout: AnalysisResult) -> Section:
    """The decision with its table of guardrails; analyses of version 0.3 have none."""
    decision = readout.decision
    if decision is None:
        return Section("decision", gettext("Ship it or not"), "", ())
    table = guardrail_table(decision, readout.plan.alpha)
    part = Part(
        "decision", gettext("Ship it or not, as registered"), decision_sentence(decision), table, _note(decision)
    )
    return Section("decision", gettext("Ship it or not"), "", (part,))


def decision_sentence(decision: Decision) -> str:
    """The decision about the leading variant, and about others where it differs."""
    if not decision.variant:
        sentences = [arm_sentence(arm, decision) for arm in decision.arms if arm.ruling is not Ruling.WAIT]
        return " ".join(sentences) or gettext("No decision yet: the experiment isn't over, and no harm is proved.")
    leads = next(arm for arm in decision.arms if arm.variant == decision.variant)
    others = [arm for arm in decision.arms if arm is not leads and arm.ground in (Ground.GUARDRAIL_HARM, Ground.PROVED)]
    return " ".join(arm_sentence(arm, decision) for arm in (leads, *others))


def arm_sentence(arm: ArmRuling, decision: Decision) -> str:
    """The decision about one variant, and why."""
    sentences = {
        Ground.INVALID: gettext("Don't ship {variant}: the data are broken."),
        Ground.GUARDRAIL_HARM: gettext("Don't ship {variant}: {harmed} got worse."),
        Ground.OUTCOME_HARM: gettext("Don't ship {variant}: a primary outcome fell."),
        Ground.PROVED: gettext(
            "Ship {variant}: a primary outcome improved, and every guardrail stayed within its margin."
        )
        if decision.guardrails
        else gettext("Ship {variant}: a primary outcome improved. (No guardrails were set.)"),
        Ground.NOT_YET: gettext("No decision about {variant} yet: the experiment isn't over."),
        Ground.AS_REGISTERED: _missing(arm),
    }
    return sentences[arm.ground].format(
        variant=arm.variant,
        harmed=_registered_decision_metrics(arm.harmed),
        unknown=_registered_decision_metrics(arm.unknown),
        otherwise=otherwise_words(decision.otherwise),
    )


def _missing(arm: ArmRuling) -> str:
    if not arm.success and arm.unknown:
        return gettext(
            "{variant}: no primary outcome is shown to improve, and {unknown} may have lost more than its margin. As "
            "registered: {otherwise}."
        )
    if arm.unknown:
        return gettext(
            "{variant}: a primary outcome improved, but {unknown} may have lost more than its margin. As registered: "
            "{otherwise}."
        )
    return gettext("{variant}: no primary outcome is shown to improve. As registered: {otherwise}.")


def guardrail_table(decision: Decision, alpha: float) -> Table | None:
    """Each guardrail of each variant against control."""
    if not decision.guardrails:
        return None
    rows = tuple(
        (
            metric_words(state.outcome),
            state.variant,
            _direction(state),
            "" if state.margin is None else planned_text(state.margin, share=_share(state)),
            *effect_cells(state.difference, Kind(state.kind)),
            number_cell(state.loss, lambda loss, state=state: effect_text(loss, share=_share(state))),  # type: ignore[misc]
            safety_words(state.safety),
        )
        for state in decision.guardrails
    )
    columns = (
        gettext("guardrail"),
        gettext("variant"),
        gettext("better is"),
        gettext("margin"),
        gettext("difference"),
        level_heading(1 - alpha),
        gettext("loss at most"),
        gettext("what is known"),
    )
    note = gettext(
        "Against control. “Loss at most” is a one-sided limit at the plan's error rate, for all analyses of the plan "
        "together: no harm is proved where it lies below the margin. A proved loss is harm even inside the margin."
    )
    return Table(gettext("Guardrails"), columns, rows, note)


def safety_words(safety: Safety) -> str:
    """State of a guardrail in words."""
    words = {Safety.NO_HARM: gettext("no harm"), Safety.HARM: gettext("harm"), Safety.UNKNOWN: gettext("not known yet")}
    return words[safety]


def document(decision: Decision) -> dict[str, Any]:
    """The decision as JSON: codes and numbers, and the sentence of the page."""
    whole: dict[str, Any] = outward(_document(decision))
    return whole


def _document(decision: Decision) -> dict[str, Any]:
    return {
        "code": decision.ruling.value,
        "ground": decision.ground.value,
        "variant": decision.variant or None,
        "otherwise": decision.otherwise,
        "sentence": decision_sentence(decision),
        "arms": [
            {
                **chosen(arm, "variant", "success"),
                "code": arm.ruling.value,
                "ground": arm.ground.value,
                "unknown": list(arm.unknown),
                "harmed": list(arm.harmed),
            }
            for arm in decision.arms
        ],
        "guardrails": [_guardrail_document(state) for state in decision.guardrails],
    }


def _guardrail_document(state: GuardrailState) -> dict[str, Any]:
    return {
        **chosen(state, "outcome", "kind", "variant", "margin"),
        "direction": state.direction or None,
        "difference": chosen(state.difference, "estimate", "standard_error", "low", "high", "p_value", "level"),
        "loss": state.loss,
        "safety": state.safety.value,
    }


def _direction(state: GuardrailState) -> str:
    words = {"higher": gettext("higher"), "lower": gettext("lower"), "": gettext("not registered")}
    return words[state.direction]


def _note(decision: Decision) -> str:
    return table_words(decision.otherwise)


def _registered_decision_metrics(names: tuple[str, ...]) -> str:
    return ", ".join(metric_words(name) for name in names)


def _share(state: GuardrailState) -> bool:
    return state.kind == Kind.PROPORTION


# The plan, and whether it was followed: registered values, and each amendment with its reason. Pure.


def section(readout: AnalysisResult) -> Section:
    """Folded section: registered values and changes."""
    history = readout.analysed.history
    if not history.intact:
        lead = gettext("The plan was not followed: it differs from the one at the start, and no amendment says why.")
    elif history.amendments:
        lead = gettext("The plan was amended {times} after the start; each change stands below with its reason.")
        lead = lead.format(times=times_words(len(history.amendments)))
    else:
        lead = gettext("The plan was followed: nothing changed after the start.")
    parts = [Part("registered", gettext("What was registered"), "", registered(readout))]
    changed = amendments(readout)
    if changed is not None:
        parts.append(Part("amendments", changed.title, "", changed))
    return Section("plan", gettext("Plan adherence"), lead, tuple(parts), closed=True)


def registered(readout: AnalysisResult) -> Table:
    """Table of the registered values."""
    plan, history = readout.plan, readout.analysed.history
    comparison, method = FIELDS["primary"].choices[plan.adjustment], FIELDS["method"].choices[plan.method]
    rows: list[Row] = [
        (gettext("Hypothesis"), _hypothesis(plan)),
        (gettext("Nudge"), plan.nudge),
        *_groups(readout),
        (gettext("Drawn as a whole"), plan.cluster),
        (gettext("Saturations: share nudged, of so many clusters"), _saturations(readout)),
        (gettext("Verdict rests on"), _metrics(plan.primary)),
        (gettext("Also read"), _metrics(plan.secondary)),
        *((gettext("Must not get worse"), _guardrail(readout, name)) for name in plan.guardrails),
        (gettext("Decision"), table_words(plan.otherwise)),
        (gettext("Covariates known before"), ", ".join(plan.covariates)),
        (gettext("Active days before the exposure"), _days_before(plan.active_days_before)),
        (gettext("Comparison that decides"), "" if plan.adjustment == UNADJUSTED else gettext(comparison)),
        (gettext("Predicted from earlier users"), _prediction(readout.analysed.prediction)),
        (gettext("Error rate, two-sided"), percent(plan.alpha)),
        (gettext("Smallest effect of interest"), _effect(readout, plan.smallest_effect)),
        (gettext("Planned effect"), _effect(readout, plan.planned_effect)),
        (gettext("Expected take-up"), "" if plan.expected_take_up is None else percent(plan.expected_take_up)),
        (gettext("Planned users"), count(plan.planned_units or 0)),
        (gettext("When it is read"), gettext(method)),
        (gettext("Day 0"), clock_words(plan)),
        (gettext("Started"), day_text(history.started)),
        (gettext("Enrolment ended"), "" if history.enrolment_ended is None else day_text(history.enrolment_ended)),
    ]
    filled = tuple(row for row in rows if row[1])
    return Table(gettext("The plan"), (gettext("part"), gettext("registered")), filled)


def _groups(readout: AnalysisResult) -> list[Row]:
    """The groups with their planned split; of a lab its nudges with their shares and behaviours."""
    plan = readout.plan
    if plan.is_lab:
        nudges = ", ".join(
            f"{nudge.name or nudge.key} {percent(nudge.share / WHOLE, 0)} ({other_words(nudge.behaviour, nudge.times)})"
            for nudge in plan.nudges
        )
        most = "" if plan.most_nudges is None else count(plan.most_nudges)
        return [(gettext("Nudges, each drawn by itself"), nudges), (gettext("Nudges at once, at most"), most)]
    return [
        (gettext("Groups, control first"), ", ".join(_variant(readout, name) for name in plan.arms)),
        *((gettext("Planned split"), _split(segment, shares)) for segment, shares in plan.shares.items()),
    ]


def _hypothesis(plan: Plan) -> str:
    return plan.hypothesis if plan.claim is None else hypothesis(plan.hypothesis, plan.claim)


def _days_before(days: int) -> str:
    return gettext("within {days}").format(days=days_words(days)) if days else ""


def _prediction(predictor: Predictor | None) -> str:
    """Training data and R2 of the prediction model, from before the start."""
    if predictor is None:
        return ""
    worth = predictor.explained
    return gettext(
        "{n} users from {first} to {last}; R² {r} ({interval}), judged by the newest {judged} of them"
    ).format(
        n=count(predictor.units),
        first=day_text(predictor.first),
        last=day_text(predictor.last),
        r=decimal(worth.r_squared, 3),
        interval=between(decimal(worth.low, 3), decimal(worth.high, 3)),
        judged=count(worth.judged),
    )


def _variant(readout: AnalysisResult, name: str) -> str:
    if name == readout.plan.placebo_arm:
        return gettext("{variant} (placebo)").format(variant=name)
    dose = readout.plan.doses.get(name)
    return name if dose is None else gettext("{variant} (dose {n})").format(variant=name, n=dose)


def _split(segment: str, shares: tuple[float, ...]) -> str:
    text = " / ".join(percent(share, 0) for share in shares)
    return f"{segment}: {text}" if segment else text


def _saturations(readout: AnalysisResult) -> str:
    return ", ".join(
        f"{percent(saturation.share, 0)}: {percent(saturation.weight, 0)}" for saturation in saturations(readout.plan)
    )


def _metrics(names: tuple[str, ...]) -> str:
    return " ".join(metric_sentence(name) for name in names)


def _guardrail(readout: AnalysisResult, name: str) -> str:
    return f"{metric_sentence(name)} {rule_words(name, readout.plan.guardrail_rules.get(name))}"


def _effect(readout: AnalysisResult, effect: float | None) -> str:
    share = kind_of(readout.plan.primary[0]) is Kind.PROPORTION
    return "" if effect is None else planned_text(effect, share=share)


def amendments(readout: AnalysisResult) -> Table | None:
    """Logged changes of the plan after the start."""
    rows = tuple(
        (day_text(amendment.on), name, display_name(before), display_name(after), amendment.why, amendment.by)
        for amendment in readout.analysed.history.amendments
        for name, (before, after) in amendment.changes.items()
    )
    columns = (gettext("day"), gettext("part"), gettext("before"), gettext("after"), gettext("reason"), gettext("by"))
    return Table(gettext("Amendments after the start"), columns, rows) if rows else None
