"""The decision in words: each row of the table, each state of a guardrail, and nothing of a locked outcome."""

from dataclasses import replace
from typing import Any

import pytest

from experiments.analyse.result import ArmRuling, Decision, Ground, GuardrailState, Ruling
from experiments.report.plan import decision_sentence, document, guardrail_table
from experiments.report.plan import registered_decision_section as section
from stats.results import Estimate, NotComputable, Reason
from stats.sequential.non_inferiority import Safety
from tests.experiments.make_readout import make_readout

DIFFERENCE = Estimate(-0.004, 0.005, -0.014, 0.006, 0.42, 0.95, "score-interval")
STATE = GuardrailState("on_day:1", "proportion", "nudge", "higher", 0.02, DIFFERENCE, 0.0122, Safety.NO_HARM)
BARE = replace(STATE, direction="", margin=None, loss=NotComputable(Reason.NO_GUARDRAIL_RULE), safety=Safety.UNKNOWN)


def decision(ground: Ground, ruling: Ruling = Ruling.DONT, **arm: Any) -> Decision:
    """A decision about one variant with one guardrail."""
    ruled = ArmRuling("nudge", ruling, ground, **{"success": False, **arm})
    return Decision(ruling, ground, "nudge", (ruled,), (STATE,), "ask")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (decision(Ground.INVALID), "Don't ship nudge: the data are broken."),
        (decision(Ground.GUARDRAIL_HARM, harmed=("on_day:1",)), "Don't ship nudge: retention on day 1 got worse."),
        (decision(Ground.OUTCOME_HARM), "Don't ship nudge: a primary outcome fell."),
        (decision(Ground.PROVED, Ruling.SHIP, success=True), "Ship nudge: a primary outcome improved"),
        (decision(Ground.NOT_YET, Ruling.WAIT), "No decision about nudge yet"),
        (decision(Ground.AS_REGISTERED, Ruling.ASK), "no primary outcome is shown to improve. As registered: people"),
        (
            decision(Ground.AS_REGISTERED, Ruling.ASK, success=True, unknown=("on_day:1",)),
            "improved, but retention on day 1 may have lost more than its margin. As registered: people",
        ),
        (
            decision(Ground.AS_REGISTERED, Ruling.ASK, unknown=("on_day:1",)),
            "is shown to improve, and retention on day 1 may have lost more than its margin. As registered: people",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else value.ground.value,
)
def test_sentence__each_row__says_what_to_do_and_why(found: Decision, words: str) -> None:
    assert words in decision_sentence(found)


def test_sentence__several_arms_while_locked__names_those_with_harm() -> None:
    harmed = decision(Ground.GUARDRAIL_HARM, harmed=("on_day:1",))
    waits = ArmRuling("other", Ruling.WAIT, Ground.NOT_YET, success=False)
    found = replace(harmed, variant="", ruling=Ruling.WAIT, arms=(*harmed.arms, waits))

    assert decision_sentence(found) == "Don't ship nudge: retention on day 1 got worse."
    assert decision_sentence(replace(found, arms=(waits,))).startswith("No decision yet")


def test_table__rule_and_none__have_units_and_say_what_is_missing() -> None:
    found = replace(decision(Ground.PROVED), guardrails=(STATE, BARE))

    table = guardrail_table(found, 0.05)

    assert table is not None
    ruled, bare = (tuple(cell.replace("\u00a0", " ") for cell in row) for row in table.rows)
    assert ruled[:4] == ("retention on day 1", "nudge", "higher", "2.0 points")
    assert ruled[-2:] == ("1.2 points", "no harm")
    assert bare[2:4] == ("not registered", "")
    assert bare[-1] == "not known yet"
    assert guardrail_table(replace(found, guardrails=()), 0.05) is None


def test_document__has_codes_and_numbers() -> None:
    found = document(replace(decision(Ground.PROVED, Ruling.SHIP), guardrails=(STATE, BARE)))

    assert (found["code"], found["ground"], found["variant"], found["otherwise"]) == ("ship", "proved", "nudge", "ask")
    assert found["guardrails"][0]["loss"] == 0.0122
    assert found["guardrails"][1]["loss"].keys() == {"not_computable"}
    assert (found["guardrails"][1]["direction"], found["guardrails"][1]["margin"]) == (None, None)


def test_section__analysis_of_version_03__is_empty() -> None:
    assert section(replace(make_readout(), decision=None)).parts == ()
