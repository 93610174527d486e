"""The one end: around the planned day, after an end, and with outcomes that nobody can date."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import translation

from experiments.status.ending import ending

TODAY = date(2026, 11, 26)


def end(**changes: Any) -> Any:
    given: dict[str, Any] = {"planned": date(2026, 12, 24), "ended": None, "outcomes": ["window:14-20"], "today": TODAY}
    return ending(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "result", "left", "overdue", "said"),
    [
        ({}, date(2027, 1, 14), 49, False, "Result on Jan 14, 2027 (49 days left); enrolment until Dec 24, 2026."),
        (
            {"planned": TODAY},
            date(2026, 12, 17),
            21,
            False,
            "Result on Dec 17, 2026 (21 days left); enrolment until Nov 26, 2026.",
        ),
        (
            {"planned": date(2026, 11, 25)},
            date(2026, 12, 17),
            21,
            True,
            "Enrolment was to end on Nov 25, 2026. If it ends today, the result is complete on Dec 17, 2026.",
        ),
        (
            {"ended": date(2026, 11, 6)},
            date(2026, 11, 27),
            1,
            False,
            "Result on Nov 27, 2026 (1 day left); enrolment ended on Nov 6, 2026.",
        ),
        (
            {"ended": date(2026, 11, 5)},
            date(2026, 11, 26),
            0,
            False,
            "Result since Nov 26, 2026; enrolment ended on Nov 5, 2026.",
        ),
        ({"planned": None}, None, None, False, "No end is planned yet."),
        ({"outcomes": []}, None, None, False, "Enrolment until Dec 24, 2026."),
        ({"outcomes": ["no such thing"]}, None, None, False, "Enrolment until Dec 24, 2026."),
    ],
)
def test_ending__said_in_a_sentence(changes: dict[str, Any], result: Any, left: Any, overdue: bool, said: str) -> None:
    found = end(**changes)

    assert (found.result, found.days_left, found.overdue) == (result, left, overdue)
    with translation.override("en"):
        assert found.said == said


def test_ending__of_two_outcomes__is_that_of_the_later() -> None:
    assert end(outcomes=["on_day:7", "window:14-20"]).result == end().result


def test_ending__never_lies_before_enrolment_has_ended() -> None:
    for days in range(-400, 400, 7):
        found = end(planned=TODAY + timedelta(days=days))

        assert found.result > max(TODAY + timedelta(days=days), TODAY)
        assert found.days_left == (found.result - TODAY).days
