"""What the plan and the reading say: each check at its threshold and just beyond."""

from datetime import date
from typing import Any

import pytest

from experiments.analyse.health.nudge import check_plan, check_progress, check_windows
from experiments.analyse.result import LookTaken
from tests.experiments.analyse.health.make_context import codes, only, stored
from tests.experiments.make_answers import make_analysed


@pytest.mark.parametrize(("metric", "invalid"), [("window:7-13", False), ("window:6-13", True)])
def test_windows__that_overlap__are_invalid(metric: str, invalid: bool) -> None:
    found = list(check_windows(stored(analysed=make_analysed(primary=(metric,)))))

    assert [finding.invalid for finding in found] == (["window_overlap"] if invalid else [])


def test_plan__changed_without_a_trace__is_invalid() -> None:
    assert only(check_plan, stored(analysed=make_analysed(intact=False))).invalid == "plan_changed"


def test_progress__peeked_and_planned_size_reached() -> None:
    running = make_analysed(enrolment_ended=None)
    earlier = LookTaken(date(2026, 2, 1), "", "nudge", 9, 0.3, 0.1, 0.0, 0.2, 2.0, 2.0, 0.04, "CAUSES", peeked=True)
    peek: dict[str, Any] = {"final": False, "peeked": True, "fraction": 0.4}

    assert only(check_progress, stored(analysed=running)).check == "planned_size_reached"
    assert only(check_progress, stored(**peek)).check == "peeked"
    assert only(check_progress, stored(earlier=(earlier,), **peek)).check == "peeked"
    assert only(check_progress, stored(earlier=(earlier,))).check == "peeked_before"


@pytest.mark.parametrize(("planned", "said"), [(2_000, ["planned_size_reached"]), (2_001, [])])
def test_progress__planned_size__is_reached_by_its_last_unit(planned: int, said: list[str]) -> None:
    assert codes(check_progress, stored(analysed=make_analysed(enrolment_ended=None, planned_units=planned))) == said
