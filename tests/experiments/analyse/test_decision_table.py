"""The decision table, row by row and in its order; and how a readout fills it."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.codes import Code
from experiments.analyse.decision_table import rule_on
from experiments.analyse.result import Decision, Ground, GuardrailState, LookTaken, Ruling, decision_facts
from experiments.plan.record import GuardrailRule
from stats.results import NotComputable, Reason
from stats.sequential.non_inferiority import Safety
from tests.experiments.make_answers import draw_units, make_analysed, make_answers, make_cells
from tests.experiments.make_readout import CLEAN, TODAY

MISSING = NotComputable(Reason.NO_DATA)
HARM, NONE, UNKNOWN = Safety.HARM, Safety.NO_HARM, Safety.UNKNOWN


def state(safety: Safety, number: int = 1) -> GuardrailState:
    """A guardrail of which this is known."""
    return GuardrailState(f"on_day:{number}", "proportion", "nudge", "higher", 0.01, MISSING, MISSING, safety)


def ruled(
    *safeties: Safety,
    effects: tuple[int, ...] = (1,),
    invalid: bool = False,
    final: bool = True,
    otherwise: str = "ask",
) -> tuple[Ruling, Ground]:
    """The row of the table."""
    states = [state(safety, number) for number, safety in enumerate(safeties)]
    found = rule_on("nudge", states, effects=effects, invalid=invalid, final=final, otherwise=otherwise)
    return found.ruling, found.ground


@pytest.mark.parametrize(
    ("safeties", "options", "expected"),
    [
        ((NONE,), {}, (Ruling.SHIP, Ground.PROVED)),
        ((), {}, (Ruling.SHIP, Ground.PROVED)),
        ((NONE, NONE), {"effects": (0, 1)}, (Ruling.SHIP, Ground.PROVED)),
        ((NONE,), {"final": False}, (Ruling.SHIP, Ground.PROVED)),
        ((NONE, UNKNOWN), {}, (Ruling.ASK, Ground.AS_REGISTERED)),
        ((NONE, UNKNOWN), {"otherwise": "ship"}, (Ruling.SHIP, Ground.AS_REGISTERED)),
        ((NONE, UNKNOWN), {"final": False, "otherwise": "ship"}, (Ruling.WAIT, Ground.NOT_YET)),
        ((NONE,), {"effects": (0,), "otherwise": "dont"}, (Ruling.DONT, Ground.AS_REGISTERED)),
        ((NONE, HARM), {"otherwise": "ship"}, (Ruling.DONT, Ground.GUARDRAIL_HARM)),
        ((HARM,), {"effects": (), "final": False}, (Ruling.DONT, Ground.GUARDRAIL_HARM)),
        ((NONE,), {"effects": (1, -1), "otherwise": "ship"}, (Ruling.DONT, Ground.OUTCOME_HARM)),
        ((HARM,), {"effects": (-1,)}, (Ruling.DONT, Ground.GUARDRAIL_HARM)),
        ((NONE,), {"invalid": True, "otherwise": "ship"}, (Ruling.DONT, Ground.INVALID)),
        ((HARM,), {"invalid": True}, (Ruling.DONT, Ground.INVALID)),
    ],
)
def test_table__row(safeties: tuple[Safety, ...], options: dict[str, Any], expected: tuple[Ruling, Ground]) -> None:
    assert ruled(*safeties, **options) == expected


def test_table__every_combination__ships_by_proof_or_by_registration_alone() -> None:
    for safety, effect, invalid, final, otherwise in product(
        Safety, (-1, 0, 1), (True, False), (True, False), ("ship", "dont", "ask")
    ):
        ruling, ground = ruled(safety, effects=(effect,), invalid=invalid, final=final, otherwise=otherwise)

        proved = safety is NONE and effect == 1 and not invalid
        registered = otherwise == "ship" and final and safety is not HARM and effect >= 0 and not invalid
        assert (ruling is Ruling.SHIP) == (proved or registered)
        assert ruling is not Ruling.WAIT or not final
        assert (ground is Ground.AS_REGISTERED) <= final


# ── A readout ─────────────────────────────────────────────────────────────────
WATCHED = ("window:21-27", "on_day:1")


def decided(units: dict[str, Any] | None = None, *, peek: bool = False, **plan: Any) -> Decision:
    """The decision of a readout whose guardrail has the values of its outcome."""
    units = draw_units(4_000) if units is None else units
    found = analyse_answers(
        make_analysed(guardrails=WATCHED[1:], **plan),
        make_answers(units, cells=make_cells(units, outcomes=WATCHED)),
        CLEAN,
        today=TODAY,
        peek=peek,
    )
    assert found.decision is not None
    return found.decision


def rule(direction: str, margin: float = 0.05) -> dict[str, GuardrailRule]:
    """A rule for the guardrail."""
    return {WATCHED[1]: GuardrailRule(direction, margin)}


RUNNING: dict[str, Any] = {"enrolment_ended": None, "planned_units": 4_000}


@pytest.mark.slow
def test_readout__gain_and_guardrail_better__ships() -> None:
    found = decided(guardrail_rules=rule("higher"))

    assert (found.ruling, found.ground, found.variant) == (Ruling.SHIP, Ground.PROVED, "nudge")
    assert found.guardrails[0].safety is NONE
    assert decision_facts(found) == {"code": "ship", "ground": "proved", "variant": "nudge"}


@pytest.mark.slow
def test_readout__no_rule__is_never_cleared() -> None:
    found = decided()

    assert (found.ruling, found.ground) == (Ruling.ASK, Ground.AS_REGISTERED)
    assert found.arms[0].unknown == ("on_day:1",)


def test_readout__guardrail_worse__is_told_while_the_outcome_is_locked() -> None:
    found = decided(guardrail_rules=rule("lower"), **RUNNING)

    assert (found.ruling, found.ground) == (Ruling.DONT, Ground.GUARDRAIL_HARM)
    assert not found.arms[0].success  # nothing of the outcome leaks


def test_readout__guardrail_of_a_tiny_arm__says_nothing_yet() -> None:
    units = draw_units(4_000, arm=(np.arange(4_000) < 40).astype(int))

    found = decided(units, guardrail_rules=rule("lower"), **RUNNING).guardrails[0]

    assert (found.safety, found.difference) == (UNKNOWN, NotComputable(Reason.TOO_FEW_UNITS))


def test_readout__locked_and_quiet__waits() -> None:
    assert decided(guardrail_rules=rule("higher"), **RUNNING).ruling is Ruling.WAIT


@pytest.mark.slow
def test_readout__peek__is_no_look() -> None:
    """A peek shows the outcome, and decides nothing: its interval promises nothing."""
    found = decided(guardrail_rules=rule("higher"), peek=True, **RUNNING)

    assert (found.ruling, found.ground) == (Ruling.WAIT, Ground.NOT_YET)


def test_readout__outcome_worse__is_not_shipped() -> None:
    units = draw_units(4_000)
    units["arm"] = 1 - units["arm"]

    found = decided(units, guardrail_rules=rule("lower"))

    assert (found.ruling, found.ground) == (Ruling.DONT, Ground.OUTCOME_HARM)


@pytest.mark.slow
def test_readout__broken_data__are_not_shipped_on() -> None:
    units = draw_units(4_000)
    kept = (units["arm"] == 0) | (units["segment"] == 0)

    found = decided({name: values[kept] for name, values in units.items()}, guardrail_rules=rule("higher"))

    assert found.ground is Ground.INVALID


def test_readout__gain_below_what_matters__is_no_success() -> None:
    found = decided(guardrail_rules=rule("higher"), claim=None, smallest_effect=0.5, otherwise="dont")

    assert not found.arms[0].success
    assert (found.ruling, found.ground) == (Ruling.DONT, Ground.AS_REGISTERED)


@pytest.mark.slow
def test_readout__bound_crossed_at_an_earlier_look__stays_a_success() -> None:
    units = draw_units(1_000, effect=0.0)
    analysed = make_analysed(method="group_sequential", claim=None, planned_units=1_000, smallest_effect=None)
    look = LookTaken(
        on=TODAY.replace(month=2), measured=analysed.plan.measured, variant="nudge", units=500, fraction=0.5,
        estimate=0.1, low=0.02, high=0.18, z=3.2, critical=2.96, p_value=0.002, verdict="CAUSES", peeked=False,
        shown=TODAY,
    )  # fmt: skip
    answers = make_answers(units, cells=make_cells(units, behaviour=False))

    found = analyse_answers(analysed, answers, CLEAN, today=TODAY, earlier=(look,))

    assert found.verdict is not None
    assert (found.verdict.code, found.verdict.reason) == (Code.CAUSES, "crossed")
    assert found.decision is not None
    assert found.decision.ground is Ground.PROVED
    down = replace(look, verdict="HARMS", estimate=-0.1, low=-0.18, high=-0.02, z=-3.2)
    other = analyse_answers(analysed, answers, CLEAN, today=TODAY, earlier=(down,)).decision
    assert other is not None
    assert other.ground is Ground.OUTCOME_HARM


@pytest.mark.slow
def test_readout__several_arms__each_has_its_own_ruling() -> None:
    units = draw_units(6_000, seed=3)
    units["arm"] = np.random.default_rng(4).integers(0, 3, 6_000)  # the third arm does nothing
    units["value"] = np.where((units["arm"] == 1) & (np.random.default_rng(5).random(6_000) < 0.3), 1.0, units["value"])
    variants, plan = ("control", "nudge", "other"), {"claim": None, "guardrail_rules": rule("higher", 0.08)}
    cells = make_cells(units, outcomes=WATCHED, variants=variants, behaviour=False)
    planned = make_analysed(variants=variants, shares={"": (1 / 3,) * 3}, guardrails=WATCHED[1:], **plan)

    found = analyse_answers(planned, make_answers(units, cells=cells), CLEAN, today=TODAY).decision

    assert found is not None
    assert {arm.variant: arm.ruling for arm in found.arms} == {"nudge": Ruling.SHIP, "other": Ruling.ASK}
    assert found.variant == "nudge"
