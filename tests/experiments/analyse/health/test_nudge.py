"""Take-up and placebo: each check at its threshold and just beyond."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.analyse.codes import Severity
from experiments.analyse.comparison.protocol import comparators, stages_known
from experiments.analyse.health.nudge import check_first_stage, check_first_stage_signs, check_placebo
from experiments.analyse.result import FirstStage
from experiments.plan.design import Design
from stats.instrument.encouragement import TakeUp
from tests.experiments.analyse.health.make_context import codes, findings, only, stored, units
from tests.experiments.make_answers import make_analysed


def test_behaviour_that_is_the_variant__is_said() -> None:
    data = units((100, 100), behaviour=np.repeat([0.0, 1.0], 100))

    assert "behaviour_is_variant" in findings(data, behaviour="did")


@pytest.mark.parametrize(("high", "noted"), [(0.05, False), (0.0499, True)])
def test_first_stage__far_below_plan__is_a_note(high: float, noted: bool) -> None:
    """A quarter of the planned .2: a note of planning, which no verdict reads."""
    stage = FirstStage("nudge", TakeUp(0.2, 0.21, 0.01, 0.01, -0.02, high, 1.0, 0.95), ())

    found = list(check_first_stage(stored(first_stage=(stage,))))

    assert [(row.check, row.severity, row.invalid) for row in found] == (
        [("take_up_below_plan", Severity.INFO, None)] if noted else []
    )
    assert codes(check_first_stage, stored(analysed=make_analysed(take_up=None), first_stage=(stage,))) == []


@pytest.mark.parametrize(("high", "named"), [(-0.001, "old"), (0.001, None)])
def test_first_stage__of_the_other_sign_in_a_segment__warns(high: float, named: str | None) -> None:
    up = TakeUp(0.2, 0.4, 0.2, 0.01, 0.18, 0.22, 400.0, 0.975)
    down = TakeUp(0.3, 0.25, -0.05, 0.02, -0.1, high, 6.0, 0.975)
    stage = FirstStage("nudge", up, (("new", up), ("old", down)))

    found = list(check_first_stage_signs(stored(first_stage=(stage,))))

    assert [finding.details["segments"] for finding in found] == ([] if named is None else [named])


# A quarter of the planned take-up of .2 is .05; the limits at level 90 % are the estimate +- 1.645 errors of .01.
@pytest.mark.parametrize(
    ("moved", "check", "reason"),
    [(0.033, "placebo_serves", None), (0.034, "placebo_moves_too", "placebo_moves_behaviour")],
)
def test_placebo__equivalence__is_said_and_changes_no_comparison(moved: float, check: str, reason: str | None) -> None:
    thirds = {"": (0.34, 0.33, 0.33)}
    plan = make_analysed(variants=("control", "nudge", "placebo"), placebo="placebo", shares=thirds).plan
    stages = (
        FirstStage("nudge", TakeUp(0.2, 0.4, 0.2, 0.01, 0.18, 0.22, 400.0, 0.95), ()),
        FirstStage("placebo", TakeUp(0.2, 0.2 + moved, moved, 0.01, moved - 0.02, moved + 0.02, 9.0, 0.95), ()),
    )
    design = Design("variant", "control", plan.primary, behaviour="3 friends", placebo="placebo")
    against = comparators(design, plan.arms, stages_known(stages, 0.05), plan.expected_take_up)

    finding = only(check_placebo, replace(stored(first_stage=stages, comparators=against), placebo="placebo"))

    assert (finding.check, finding.severity) == (check, Severity.INFO)
    assert finding.details["take_up_bound"] == pytest.approx(0.05)
    assert against["placebo"].label == "control"
    assert (against["nudge"].label, against["nudge"].reason) == ("placebo", reason)
