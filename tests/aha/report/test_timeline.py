"""Where a moment stands: each state's steps."""

from datetime import date

import pytest

from aha.report.reach import ExperimentDays, TimelineStep, steps

DAY = date(2026, 6, 1)
OPEN, OVER = ExperimentDays("open", "/e/1/", DAY, None), ExperimentDays("over", "/e/2/", DAY, DAY)


@pytest.mark.parametrize(
    ("status", "tests", "states"),
    [
        ("candidate", (), ["done", "done", "here", ""]),
        ("testing", (OPEN,), ["done", "done", "here", ""]),
        ("confirmed", (OVER,), ["done", "done", "done", "done"]),
        ("refuted", (OVER,), ["done", "done", "done", "bad"]),
        ("inconclusive", (OVER, OPEN), ["done", "done", "done", "here", "warn"]),
    ],
)
def test_steps__each_status__its_states(status: str, tests: tuple[ExperimentDays, ...], states: list[str]) -> None:
    found = steps(
        status=status, found=TimelineStep("Found", "done", DAY), promoted=DAY, by="ann", tests=tests, decided=DAY
    )

    assert [step.state for step in found] == states
    assert [step.link for step in found if step.link] == [test.url for test in tests]


def test_steps__written_by_hand__says_so() -> None:
    first = steps(status="candidate", found=None, promoted=DAY, by="", tests=(), decided=None)[0]

    assert first.name == "Written by hand"
