"""What makes a plan silly, on both sides of each threshold."""

from datetime import date, timedelta
from typing import Any

import pytest

from experiments.plan.planned_power import PlanCalendar
from experiments.plan.record import Claim, GuardrailRule, PlannedVariant
from experiments.plan.warnings import Facts, SharedUnits, cautions, event_names_of
from experiments.report.planning import caution_words
from tests.experiments.make import a_plan

TODAY = date(2026, 11, 24)
CLAIM = Claim("k", "Friends", "friend_add", 3, 7, "window:14-20")


def codes(facts: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    plan = a_plan(**{"nudge": "A banner.", **changes})
    found = cautions(plan, Facts(TODAY, **(facts or {})))
    assert all(caution_words(one) for one in found)
    return [one.code for one in found]


def calendar(days: int) -> PlanCalendar:
    return PlanCalendar(50.0, 50.0, 20_000, days - 21, days, TODAY, TODAY + timedelta(days=days))


def test_cautions__sound_plan__are_none() -> None:
    assert codes({"share": 1.0, "per_day": 700.0, "power": 0.8, "events": frozenset({"signup"})}) == []


@pytest.mark.parametrize(("nudge", "found"), [("", ["no_nudge"]), ("  \n", ["no_nudge"]), ("x", [])])
def test_nudge__empty__is_said(nudge: str, found: list[str]) -> None:
    assert codes(nudge=nudge) == found


def test_values__all_the_same__are_said() -> None:
    same = (PlannedVariant("control", True, 5_000), PlannedVariant("nudge", True, 5_000))

    assert codes(variants=same, value_type="boolean", default=False) == ["same_values"]


@pytest.mark.parametrize(("share", "found"), [(0.0, ["nobody_enrolled"]), (0.0001, []), (None, [])])
def test_coverage__of_nobody__is_said(share: float | None, found: list[str]) -> None:
    assert codes({"share": share}) == found


@pytest.mark.parametrize(("units", "code"), [(1_234, "shares_units"), (0, "may_share_units")])
def test_running_experiment__that_shares_users__is_named_with_their_number(units: int, code: str) -> None:
    facts = Facts(TODAY, shared=(SharedUnits("other", "Guild banner", units, open=True),))

    (problem,) = cautions(a_plan(nudge="A banner."), facts)

    assert problem.code == code
    assert "Guild banner" in caution_words(problem)
    assert ("1,234" in caution_words(problem)) == (units > 0)


@pytest.mark.parametrize(("take_up", "found"), [(0.625, []), (0.6251, ["take_up_beyond"]), (0.9, ["take_up_beyond"])])
def test_take_up__more_than_can_be_moved__is_said(take_up: float, found: list[str]) -> None:
    assert codes({"reach": 0.375}, claim=CLAIM, expected_take_up=take_up) == found
    assert codes({"reach": 0.375}, claim=None, expected_take_up=take_up) == []


@pytest.mark.parametrize(("units", "found"), [(182_500, []), (182_501, ["never_so_many"])])
def test_units__of_ten_years__are_the_most(units: int, found: list[str]) -> None:
    assert codes({"per_day": 100.0, "share": 0.5}, planned_units=units) == found


@pytest.mark.parametrize(("power", "found"), [(0.796, []), (0.794, ["too_few_units"])])
def test_units__too_few_for_the_effect__are_said(power: float, found: list[str]) -> None:
    assert codes({"per_day": 700.0, "share": 1.0, "power": power}) == found


@pytest.mark.parametrize(("days", "found"), [(364, []), (365, []), (366, ["too_long"])])
def test_length__a_year_and_a_day__is_too_long(days: int, found: list[str]) -> None:
    assert codes({"calendar": calendar(days)}, planned_end=TODAY + timedelta(days=days)) == found


@pytest.mark.parametrize(("early", "found"), [(0, []), (1, ["end_too_soon"])])
def test_end__before_the_planned_users_are_enrolled__is_said(early: int, found: list[str]) -> None:
    assert codes({"calendar": calendar(100)}, planned_end=TODAY + timedelta(days=100 - 21 - early)) == found


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"no_length": True, "no_power": True}, ["unknown_power", "unknown_length"]),
        ({"no_length": True, "power": 0.06}, ["too_few_units", "unknown_length"]),  # the power needs no inflow
        ({"no_length": True, "power": 0.8}, ["unknown_length"]),
        ({"power": 0.06, "per_day": 0.0, "share": 1.0}, ["too_few_units"]),
        ({}, []),  # nobody has asked
    ],
)
def test_inflow__unknown__is_said_with_the_power_that_is_known(facts: dict[str, Any], found: list[str]) -> None:
    assert codes(facts) == found
    assert not {"unknown_power", "unknown_length"} & set(codes(facts, planned_units=None))


def test_length__of_a_13_year_plan__is_said_in_years() -> None:
    plan = a_plan(nudge="x", planned_end=date(2039, 8, 13))
    (found,) = cautions(plan, Facts(TODAY, calendar=PlanCalendar(54.1, 54.1, 251_400, 4_616, 4_644, TODAY, TODAY)))

    assert caution_words(found) == "At 54 users a day this takes 12.7 years. A plan should end within a year."


def test_events__unknown__are_said_with_the_nearest_one() -> None:
    plan = a_plan(nudge="x", secondary=("count:friend_ad:0-6",))
    (found,) = cautions(plan, Facts(TODAY, events=frozenset({"friend_add", "signup"})))

    assert (found.code, found.details["close"]) == ("unknown_event", "friend_add")


def test_guardrail__without_a_margin__is_said() -> None:
    rules = {"on_day:7": GuardrailRule("higher", 0.01)}

    assert codes(guardrails=("on_day:7",), guardrail_rules=rules) == []
    assert codes(guardrails=("on_day:7",)) == ["no_margin"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("on_day:7", set()),
        ("count:a:0-6 / active_days:0-6", {"a"}),
        ("capped:99%:sum:b:price:0-6", {"b"}),
        ("quantile:90%:count:c:0-6", {"c"}),
        ("min_events:d:1-3:2", {"d"}),
        ("nonsense", set()),
    ],
)
def test_event_names__of_every_kind_of_outcome(text: str, names: set[str]) -> None:
    assert event_names_of(text) == names
