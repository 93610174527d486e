"""Ship it or not: the decision by the registered table, and the state of each guardrail. Pure."""

from typing import Any

from experiments.analyse.decision_record import ArmRuling, Decision, Ground, GuardrailState, Ruling
from experiments.analyse.result import Readout
from experiments.plan.design import Kind
from experiments.report.estimates import effect_cells, level_heading, number_cell
from experiments.report.names import metric_words, otherwise_words, table_words
from reporting.document import chosen, outward
from reporting.numbers import effect_text
from reporting.table import Part, Section, Table
from reporting.words import gettext
from stats.sequential.non_inferiority import Safety


def section(readout: Readout) -> Section:
    """The decision with its table of guardrails; analyses of version 0.3 have none."""
    found = readout.decision
    if found is None:
        return Section("decision", gettext("Ship it or not"), "", ())
    table = guardrail_table(found, readout.plan.alpha)
    part = Part("decision", gettext("Ship it or not, as registered"), decision_sentence(found), table, _note(found))
    return Section("decision", gettext("Ship it or not"), "", (part,))


def decision_sentence(found: Decision) -> str:
    """The decision about the leading variant, and about others where it differs."""
    if not found.variant:
        named = [arm_sentence(arm, found) for arm in found.arms if arm.ruling is not Ruling.WAIT]
        return " ".join(named) or gettext("No decision yet: the experiment isn't over, and no harm is proved.")
    leads = next(arm for arm in found.arms if arm.variant == found.variant)
    others = [arm for arm in found.arms if arm is not leads and arm.ground in (Ground.GUARDRAIL_HARM, Ground.PROVED)]
    return " ".join(arm_sentence(arm, found) for arm in (leads, *others))


def arm_sentence(arm: ArmRuling, found: Decision) -> str:
    """The decision about one variant, and why."""
    sentences = {
        Ground.INVALID: gettext("Don't ship {variant} on these data: they are broken."),
        Ground.GUARDRAIL_HARM: gettext("Don't ship {variant}: harm is proved for {harmed}."),
        Ground.OUTCOME_HARM: gettext("Don't ship {variant}: a primary outcome is proved to lose."),
        Ground.PROVED: gettext(
            "Ship {variant}: a primary outcome is proved to gain, and no guardrail loses as much as its margin."
        )
        if found.guardrails
        else gettext("Ship {variant}: a primary outcome is proved to gain, and the plan has no guardrails."),
        Ground.NOT_YET: gettext("No decision about {variant} yet: the experiment isn't over."),
        Ground.AS_REGISTERED: _missing(arm),
    }
    return sentences[arm.ground].format(
        variant=arm.variant,
        harmed=_metrics(arm.harmed),
        unknown=_metrics(arm.unknown),
        otherwise=otherwise_words(found.otherwise),
    )


def _missing(arm: ArmRuling) -> str:
    if not arm.success and arm.unknown:
        return gettext(
            "{variant}: no gain of a primary outcome is proved, and it isn't known yet whether {unknown} loses "
            "its margin. As registered: {otherwise}."
        )
    if arm.unknown:
        return gettext(
            "{variant}: a primary outcome is proved to gain, but it isn't known yet whether {unknown} loses its "
            "margin. As registered: {otherwise}."
        )
    return gettext("{variant}: no gain of a primary outcome is proved. As registered: {otherwise}.")


def guardrail_table(found: Decision, alpha: float) -> Table | None:
    """Each guardrail of each variant against control."""
    if not found.guardrails:
        return None
    rows = tuple(
        (
            metric_words(state.outcome),
            state.variant,
            _direction(state),
            "" if state.margin is None else effect_text(state.margin, share=_share(state)),
            *effect_cells(state.difference, Kind(state.kind)),
            number_cell(state.loss, lambda loss, state=state: effect_text(loss, share=_share(state))),  # type: ignore[misc]
            safety_words(state.safety),
        )
        for state in found.guardrails
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
        "Against control. “Loss at most” is a one-sided limit at the plan's error rate, for all looks of the plan "
        "together: no harm is proved where it lies below the margin. A proved loss is harm even inside the margin."
    )
    return Table(gettext("Guardrails"), columns, rows, note)


def safety_words(safety: Safety) -> str:
    """State of a guardrail in words."""
    words = {Safety.NO_HARM: gettext("no harm"), Safety.HARM: gettext("harm"), Safety.UNKNOWN: gettext("not known yet")}
    return words[safety]


def document(found: Decision) -> dict[str, Any]:
    """The decision as JSON: codes and numbers, and the sentence of the page."""
    whole: dict[str, Any] = outward(_document(found))
    return whole


def _document(found: Decision) -> dict[str, Any]:
    return {
        "code": found.ruling.value,
        "ground": found.ground.value,
        "variant": found.variant or None,
        "otherwise": found.otherwise,
        "sentence": decision_sentence(found),
        "arms": [
            {
                **chosen(arm, "variant", "success"),
                "code": arm.ruling.value,
                "ground": arm.ground.value,
                "unknown": list(arm.unknown),
                "harmed": list(arm.harmed),
            }
            for arm in found.arms
        ],
        "guardrails": [_guardrail_document(state) for state in found.guardrails],
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


def _note(found: Decision) -> str:
    return table_words(found.otherwise)


def _metrics(names: tuple[str, ...]) -> str:
    return ", ".join(metric_words(name) for name in names)


def _share(state: GuardrailState) -> bool:
    return state.kind == Kind.PROPORTION
