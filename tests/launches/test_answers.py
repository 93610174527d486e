"""The six answers: which days they compare, what they refuse, and what the calendar takes out."""

from datetime import date, timedelta
from typing import Any

import pytest

from launches.answers import DAY, Curve, Meets, Other, checked, left_out
from runs.refusals import Refused
from tests.launches.make import answers

BEGAN = date(2026, 6, 29)


def day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def test_days__of_new_users_only__begin_on_the_date_and_leave_nothing_between() -> None:
    days = answers().days
    assert (days.last_before, days.first_after, days.last) == (day("06-28"), day("06-29"), day("07-12"))
    assert days.first == day("06-28") - timedelta(days=8 * 14 - 1)
    # window:1-3 of a signup on July 12 at 23:59 ends on July 16 at 23:59: known when July 17 begins.
    assert days.readable_from == day("07-17")


def test_days__of_everybody__count_no_cohort_that_met_it_only_on_some_of_its_days() -> None:
    days = answers(meets=Meets.EVERYBODY).days
    # A signup on June 25 has its days 1 to 3 until the 29th; one on June 24 ends on the 28th at the latest.
    assert days.last_before == day("06-24")
    # A signup on June 28 has day 1 on the 29th.
    assert days.first_after == day("06-28")


def test_days__with_a_delay__leave_the_days_until_it_should_work_out() -> None:
    days = answers(works_after=7).days
    assert (days.last_before, days.first_after, days.last) == (day("06-28"), day("07-06"), day("07-19"))


def test_days__of_a_calendar_curve__are_the_dates_themselves() -> None:
    days = answers(curve=Curve.ACTIVE_USERS, outcome="", signup_event="", meets=Meets.EVERYBODY).days
    assert (days.last_before, days.first_after, days.readable_from) == (day("06-28"), day("06-29"), day("07-13"))


@pytest.mark.parametrize("meets", list(Meets))
def test_earlier_dates__are_separate_and_touch_nothing_of_the_launch(meets: Meets) -> None:
    days = answers(meets=meets, works_after=3).days
    taken: set[date] = set()
    for place in range(12):
        then = days.earlier(place)
        assert then.last <= days.last_before
        after = {then.first_after + n * DAY for n in range((then.last - then.first_after).days + 1)}
        assert len(after) == 14
        assert not after & taken
        taken |= after
        assert then.first_after - then.last_before == days.first_after - days.last_before
        assert then.first_after.weekday() == days.earlier(0).first_after.weekday()


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"title": " "}, "title"),
        ({"title": "a" * 101}, "title"),
        ({"decision": ""}, "decision"),
        ({"days_after": 6}, "days_after"),
        ({"days_after": 10}, "days_after"),
        ({"days_after": 63}, "days_after"),
        ({"works_after": -1}, "works_after"),
        ({"works_after": 91}, "works_after"),
        ({"outcome": ""}, "outcome"),
        ({"outcome": "nonsense"}, "outcome"),
        ({"outcome": "survival:7"}, "outcome"),
        ({"outcome": "unbounded:7"}, "outcome"),
        ({"outcome": "capped:99.9%:count:play:0-6"}, "outcome"),
        ({"signup_event": ""}, "signup_event"),
        ({"trait": "platform"}, "reached"),
        ({"reached": ("ios",)}, "trait"),
        ({"trait": "platform", "reached": ("ios",), "spared": ("ios",)}, "spared"),
        ({"trait": "platform", "reached": ("ios", "ios")}, "reached"),
        ({"trait": "platform", "reached": tuple(map(str, range(13)))}, "reached"),
        ({"curve": Curve.ACTIVE_USERS}, "outcome"),
        ({"curve": Curve.PER_ACTIVE_USER, "outcome": "play#level"}, "outcome"),
        ({"curve": Curve.PER_ACTIVE_USER, "outcome": "play", "unmoved": "window:1-3"}, "unmoved"),
        ({"curve": Curve.PER_ACTIVE_USER, "outcome": "play", "took_part": "play"}, "took_part"),
    ],
)
def test_checked__of_a_wrong_answer__names_its_field(given: dict[str, Any], at: str) -> None:
    with pytest.raises(Refused) as refusal:
        checked(answers(**given))
    assert refusal.value.at == at


@pytest.mark.parametrize("days_after", [7, 14, 56])
def test_checked__of_good_answers__keeps_them(days_after: int) -> None:
    known = checked(answers(title="  Autumn   onboarding ", days_after=days_after, works_after=90))
    assert known.title == "Autumn onboarding"
    assert (known.days_after, known.works_after) == (days_after, 90)


def entry(kind: str, starts: str, ends: str | None) -> Other:
    return Other(kind, "Something", day(starts), None if ends is None else day(ends))


def test_left_out__of_a_campaign__are_the_signups_of_its_days() -> None:
    out = left_out((entry("campaign", "05-04", "05-06"),), 4, new_users=True)
    assert out.days == {day("05-04"), day("05-05"), day("05-06")}
    assert not out.changes


def test_left_out__of_an_outage__are_also_users_whose_days_it_touches() -> None:
    out = left_out((entry("outage", "05-04", "05-04"),), 4, new_users=True)
    assert out.days == {day("05-01"), day("05-02"), day("05-03"), day("05-04")}
    assert left_out((entry("outage", "05-04", "05-04"),), 1, new_users=False).days == {day("05-04")}


@pytest.mark.parametrize(("ends", "passes"), [("05-31", True), ("06-01", False)])
def test_left_out__of_what_lasts_28_days_or_longer__are_two_changes(ends: str, passes: bool) -> None:
    out = left_out((entry("campaign", "05-04", ends),), 4, new_users=True)
    assert bool(out.days) is passes
    assert out.changes == (set() if passes else {day("05-04"), day("06-02")})


@pytest.mark.parametrize("kind", ["release", "experiment", "rollout", "launch"])
def test_left_out__of_what_stays__is_one_change(kind: str) -> None:
    out = left_out((entry(kind, "05-04", None),), 4, new_users=True)
    assert not out.days
    assert out.changes == {day("05-04")}
