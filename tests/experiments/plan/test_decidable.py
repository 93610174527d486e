"""What some weeks decide: the formula of a plan's outlook for the plan of a draft, on a world counted on fingers."""

import pytest
from django.core.cache import cache

from aha.models import AhaMoment
from experiments.models import Experiment, Holdout
from experiments.plan import decidable
from experiments.plan.drafts import usual_take_up
from stats.power.family_and_looks import Plan
from stats.power.sample_size import smallest_effect
from stats.results import NotComputable, Reason, computable
from tests.experiments.make import draft

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


@pytest.fixture(autouse=True)
def forgotten() -> None:
    cache.clear()


def a_moment(**changes: object) -> AhaMoment:
    given = {"key": "two-adds", "name": "Two adds", "behaviour": "add", "times": 2, "days": 2, "signup_event": "signup"}
    return AhaMoment.objects.create(**{**given, "retention": "window:3-4", **changes})


def a_test(metric: str, effect: float | None, key: str = "plain") -> Experiment:
    return draft(key, primary_metrics=[metric], smallest_effect=effect, signup_event="signup")


def test_metric__of_a_plan__is_decided_by_the_users_of_six_weeks_less_its_outcome() -> None:
    a_test("window:3-4", 0.2)

    (row,) = decidable.decidable(6)

    # Ten users a day for 42 days less the five until the outcome is known; half of them stay.
    assert row.users == 370
    assert row.smallest == smallest_effect(Plan(baseline=0.5, shares=(0.5, 0.5)), (185, 185))
    assert row.ratio == pytest.approx(0.728, abs=0.01)


def test_moment__with_a_tenth_moved__says_why_nothing_is_decided() -> None:
    moment = a_moment()

    (row,) = decidable.decidable(6)

    assert (row.moment, row.take_up) == (moment.key, 0.1)
    assert row.smallest == NotComputable(Reason.NO_DETECTABLE_EFFECT)
    assert row.ratio is None


def test_order__easiest_first_then_unknown_expectations_then_what_cant_be_computed() -> None:
    a_moment()
    a_test("count:add:0-1", 0.1, "hard")
    a_test("window:3-4", 0.2, "easy")
    a_test("window:5-6", None, "unknown")

    found = [row.moment or row.outcome for row in decidable.decidable(8)]

    assert found == ["window:3-4", "count:add:0-1", "window:5-6", "two-adds"]


def test_outcome__longer_than_the_weeks__has_no_users() -> None:
    a_test("window:3-30", 0.2)

    (row,) = decidable.decidable(4)

    assert (row.outcome_days, row.users) == (31, 0)
    assert row.smallest == NotComputable(Reason.NO_DAILY_UNITS)


def test_refusal__of_an_outcome_without_a_size__is_in_words() -> None:
    a_moment(signup_event="nobody-does-it")

    (row,) = decidable.decidable(6)

    assert "nobody-does-it" in row.refusal
    assert row.smallest is None


def test_holdout__takes_its_share_of_the_users() -> None:
    Holdout.objects.create(key="tenth", share=1_000, active=True)
    a_test("window:3-4", 0.2)

    (row,) = decidable.decidable(6)

    assert row.users == 333
    assert row.smallest is not None
    assert computable(row.smallest)


def test_take_up__without_an_inflow__is_a_tenth() -> None:
    assert usual_take_up(None) == 0.1
