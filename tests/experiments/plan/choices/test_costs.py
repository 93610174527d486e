"""What choices cost, against the numbers of `manage.py power`."""

import json
from dataclasses import replace
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from experiments.plan.planned_power import (
    DAYS,
    ChoiceCost,
    Inflow,
    costs,
    effect_within,
    equally,
    needed_days,
    trade_off,
)
from experiments.plan.record import Claim, Explained, Plan, PlannedRow, PlannedVariant
from stats.power.with_guardrails import Watched
from stats.results import NotComputable, Reason
from tests.experiments.make import a_plan
from tests.stats.make import computed

INFLOW = Inflow(date(2026, 10, 1), date(2026, 10, 28), 1_400, 50.0, 0.4, None, 20, None)
EFFECT = 0.05
CLAIM = Claim("k", "Friends", "friend_add", 3, 7, "window:14-20")
NUDGED = (PlannedVariant("control", False, 5_000), PlannedVariant("nudge", True, 5_000))


def everybody(plan: Plan) -> float:
    """Share that a plan enrols, with its rows for everybody alone."""
    return plan.audience[0].coverage / 10_000 if plan.audience else 1.0


def of(plan: Plan, code: str, inflow: Inflow = INFLOW, **options: Any) -> ChoiceCost:
    (found,) = (
        one for one in costs(plan, inflow, everybody, **options) if one.code == code and one.factor in (1.0, 2.0)
    )
    return found


def power_days(*options: str) -> int:
    """Days of the command for the same plan."""
    out = StringIO()
    given = ["--baseline", "0.4", "--effect", str(EFFECT), "--daily-units", "50", "--window-end", "20", "--json"]
    call_command("power", *given, *options, stdout=out)
    days: int = json.loads(out.getvalue())["days"]
    return days


def plan(**changes: Any) -> Plan:
    return a_plan(smallest_effect=EFFECT, claim=CLAIM, variants=NUDGED, planned_units=None, **changes)


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("arm", ["--variants", "3"]),
        ("looks", ["--method", "group_sequential"]),
        ("second_primary", ["--primaries", "2"]),
    ],
)
def test_costs__a_choice_turned__is_what_the_command_says(code: str, options: list[str]) -> None:
    found = of(plan(), code)

    assert (found.now, found.days, found.chosen) == (power_days(), power_days(*options), False)
    assert computed(found.days) > computed(found.now)


def test_costs__larger_effect__is_what_the_command_says() -> None:
    out = StringIO()
    given = ["--baseline", "0.4", "--effect", "0.1", "--daily-units", "50", "--window-end", "20", "--json"]
    call_command("power", *given, stdout=out)

    assert of(plan(), "effect").days == json.loads(out.getvalue())["days"]


def test_costs__guardrail_with_a_margin__is_what_the_command_says() -> None:
    found = of(plan(), "guardrails", replace(INFLOW, guardrails=(Watched(0.02, 0.4),)))

    assert (found.chosen, found.days) == (True, power_days())
    assert found.now == power_days("--guardrail", "0.02", "0.4")


def test_costs__adjusted__turns_both_ways() -> None:
    worth = Explained(0.3, 0.2, 0.4, 1_000, 4_000)

    asked = of(plan(covariates=("device",)), "adjusted", worth=worth)
    chosen = of(plan(covariates=("device",), adjustment="lin"), "adjusted", replace(INFLOW, explained=worth))

    assert (asked.chosen, chosen.chosen) == (False, True)
    assert asked.days == chosen.now == power_days("--r-squared", "0.3")
    assert asked.now == chosen.days == power_days()


def test_costs__placebo__is_counted_with_and_without() -> None:
    three = equally(plan(), (*NUDGED, PlannedVariant("quiet", True, 0, "placebo")))

    without, having = of(plan(), "placebo"), of(three, "placebo")

    assert (without.chosen, having.chosen) == (False, True)
    assert (without.days, without.now) == (having.now, having.days)


def test_costs__coverage__half_takes_twice_as_long_to_enrol() -> None:
    whole, half = plan(), plan(audience=(PlannedRow(None, 5_000),))

    assert of(whole, "half_coverage").days == 144  # 3,068 units at 25 a day take 123 days, and 21 more are waited for
    assert of(half, "coverage").days == power_days()


def test_costs__without_an_effect__are_none() -> None:
    assert costs(replace(plan(), smallest_effect=None), INFLOW, everybody) == ()


def test_needed_days__impossible_effect__is_a_reason() -> None:
    assert needed_days(replace(plan(), smallest_effect=0.7), INFLOW, 1.0) == NotComputable(Reason.NO_DETECTABLE_EFFECT)
    assert needed_days(plan(), INFLOW, 0.0) == NotComputable(Reason.NO_DAILY_UNITS)


def test_trade_off__longer__finds_smaller_effects() -> None:
    rows = trade_off(plan(), INFLOW, 1.0)

    found = [computed(row.found) for row in rows]
    assert [row.days for row in rows] == list(DAYS)
    assert found == sorted(found, reverse=True)
    assert [computed(row.chance) for row in rows] == sorted(computed(row.chance) for row in rows)


def test_trade_off__row_taken__needs_no_more_than_its_days() -> None:
    for row in trade_off(plan(), INFLOW, 1.0):
        assert (
            computed(needed_days(replace(plan(), planned_effect=computed(row.found) * 1.0005), INFLOW, 1.0)) <= row.days
        )


def test_effect_within__a_year__is_found_in_365_days() -> None:
    effect = computed(effect_within(plan(), INFLOW, 1.0))

    assert computed(needed_days(replace(plan(), planned_effect=effect * 1.001), INFLOW, 1.0)) <= 365
    assert computed(needed_days(replace(plan(), planned_effect=effect * 0.99), INFLOW, 1.0)) > 365


def test_effect_within__nobody_known_by_then__is_a_reason() -> None:
    assert effect_within(plan(), INFLOW, 1.0, 21) == NotComputable(Reason.NO_DAILY_UNITS)
