"""A claim in words: what is known, on whom, and that it is no cause."""

from dataclasses import replace

import pytest

from aha.report import honesty
from aha.report.claim import caveat, cell_words, claim, measured_on, pair
from aha.study.step import LevelsOff, SmoothRange, StepVerdict
from stats.results import NotComputable, Reason
from tests.aha.make_report import candidate


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (StepVerdict.JUMP, "Retention jumps at 2."),
        (
            StepVerdict.SMOOTH,
            "Retention doesn't jump from 2 to 5 times within 3 days: a number between them is a convention.",
        ),
        (
            StepVerdict.LEVELS_OFF,
            "Retention rises up to 4 times within 7 days and is flat after: each count adds, none is a threshold.",
        ),
        (StepVerdict.CANNOT_TELL, "Whether 2 is a threshold isn't clear."),
    ],
)
def test_claim__each_verdict__says_what_is_known(verdict: StepVerdict, said: str) -> None:
    found = SmoothRange(3, 2, 5) if verdict is StepVerdict.SMOOTH else None
    end = LevelsOff(7, 4) if verdict is StepVerdict.LEVELS_OFF else None
    sentence = claim(candidate(step=verdict, smooth_range=found, levels_off=end))

    start = "58% of the users who did friend_add at least 2 times within 3 days were retained, against 21% of the rest."
    assert sentence == f"{start} {said}"
    assert "Only an experiment can show" in caveat()


def test_pair__on_whom_it_was_measured__is_in_its_label() -> None:
    missing = NotComputable(Reason.NO_HOLD_OUT)
    by_rule = candidate(by_step=False)
    everybody = replace(by_rule, honesty=replace(by_rule.honesty, hold_out=missing, corrected={"j": 0.4}))

    labels = [pair(row).label.split(",")[0] for row in (candidate(), by_rule, everybody)]

    assert labels == ["training part", "hold-out", "all users"]
    assert pair(everybody).did == everybody.cell.ppv


def test_claim__no_hold_out__takes_all_users_and_says_so() -> None:
    missing = NotComputable(Reason.NO_HOLD_OUT)
    row = candidate(by_step=False)
    row = replace(row, honesty=replace(row.honesty, hold_out=missing, corrected={"j": 0.4}))

    assert claim(row).startswith("62% of the users")
    assert "against 25% of the rest" in claim(row)
    assert "users who chose the threshold" in measured_on(row)
    assert honesty.finding(row) == "Corrected for having been chosen, J is 0.400."


def test_claim__smooth_of_version_0_3__says_nothing_about_a_range() -> None:
    assert "isn't clear" in claim(candidate(step=StepVerdict.SMOOTH))


@pytest.mark.parametrize(
    ("times", "days", "said"), [(1, 1, "x at least once within 1 day"), (2, 7, "x at least 2 times within 7 days")]
)
def test_cell_words__one_and_many__read_naturally(times: int, days: int, said: str) -> None:
    assert cell_words("x", times, days) == said


def test_cell_words__escaped_name__is_shown_without_backslashes() -> None:
    assert cell_words(r"level_up\[mode\=hard\]", 1, 7).startswith("level_up[mode=hard] at least once")


def test_measured_on__step_found_on_the_hold_out__names_the_training_part() -> None:
    by_step, by_rule = candidate(), candidate(by_step=False)

    assert "training part" in measured_on(by_step)
    assert "hold-out" in measured_on(by_rule)
    assert (by_step.judged_by, by_rule.judged_by) == ("train", "hold_out")
    assert by_step.honest == by_step.honesty.train
    assert by_rule.honest == by_rule.honesty.hold_out
