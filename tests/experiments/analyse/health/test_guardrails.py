"""Guardrails at their threshold and just beyond."""

from dataclasses import replace

import pytest

from experiments.analyse.health.nudge import check_guardrails
from experiments.plan.record import GuardrailRule
from stats.results import Estimate, NotComputable, Reason
from tests.experiments.analyse.health.make_context import stored
from tests.experiments.make_answers import make_analysed


@pytest.mark.parametrize(("p_value", "alarm"), [(0.0249, True), (0.025, False)])
def test_guardrails__bonferroni_over_all_of_them(p_value: float, alarm: bool) -> None:
    row = Estimate(-0.02, 0.005, -0.03, -0.01, p_value, 0.95, "x")
    guardrails = {
        ("on_day:1", "nudge"): row,
        ("on_day:2", "nudge"): replace(row, p_value=0.9),
        ("on_day:3", "nudge"): NotComputable(Reason.NO_VARIANCE),
    }

    found = list(check_guardrails(stored(guardrails=guardrails)))

    assert [finding.details["outcome"] for finding in found] == (["on_day:1"] if alarm else [])


@pytest.mark.parametrize(("direction", "alarm"), [("higher", True), ("lower", False)])
def test_guardrails__a_move_to_the_better__is_no_alarm(direction: str, alarm: bool) -> None:
    row = Estimate(-0.02, 0.005, -0.03, -0.01, 0.001, 0.95, "x")
    analysed = make_analysed(guardrails=("on_day:1",), guardrail_rules={"on_day:1": GuardrailRule(direction, 0.01)})

    found = list(check_guardrails(replace(stored(guardrails={("on_day:1", "nudge"): row}), plan=analysed.plan)))

    assert bool(found) == alarm
