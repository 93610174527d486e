"""Made-up results: each verdict of the plan, by the real engine, from the plan's own numbers."""

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from experiments.analyse.codes import Code
from experiments.analyse.made_up import made_up_results, unfit
from experiments.plan.record import Claim, Plan, PlannedVariant
from stats.results import computable
from tests.experiments.make import a_plan, draft
from tests.experiments.report.test_views import page, viewer

__all__ = ["viewer"]
CLAIM = Claim("friends", "3 friends", "friend_add", 3, 7, "window:21-27", 0.4, 0.38, 0.42)
GIVEN: dict[str, Any] = {"primary": ("window:21-27",), "planned_units": 16_000}
ABOUT_BEHAVIOUR = {Code.NUDGE_FAILED, Code.NUDGE_NOT_BEHAVIOUR}


def encouragement(**changes: Any) -> Plan:
    return a_plan(claim=CLAIM, smallest_effect=0.1, expected_take_up=0.18, **{**GIVEN, **changes})


def test_encouragement__planned_large_enough__gets_all_seven_verdicts() -> None:
    found = made_up_results(encouragement(), base=0.22)

    assert set(found) == set(Code)
    assert all(result.verdict.code is code for code, result in found.items())


def test_numbers__are_those_of_the_plan() -> None:
    outcome = made_up_results(encouragement(), base=0.22)[Code.CAUSES].report.outcomes[0]
    control, nudge = outcome.values.values()
    effect = outcome.comparisons[0].encouragement

    assert control.n + nudge.n == 16_000
    assert control.mean == pytest.approx(0.22)
    assert nudge.mean == pytest.approx(0.22 + 0.18 * 0.1)
    assert effect is not None
    assert computable(effect.effect)
    assert effect.effect.estimate == pytest.approx(0.1)
    assert computable(effect.take_up)
    assert effect.take_up.difference == pytest.approx(0.18)


def test_plain_plan__has_no_verdict_about_a_behaviour() -> None:
    found = made_up_results(a_plan(smallest_effect=0.02, **GIVEN), base=0.22)

    assert set(found) == set(Code) - ABOUT_BEHAVIOUR


def test_plan_with_far_too_few_users__hardly_gets_a_proof_of_no_effect() -> None:
    assert Code.NO_MATERIAL_EFFECT not in made_up_results(encouragement(planned_units=1_500), base=0.22)


def test_mean__works_as_a_share_does() -> None:
    plan = a_plan(primary=("count:battle:0-6",), planned_units=16_000, smallest_effect=0.3)

    assert {Code.CAUSES, Code.HARMS, Code.INVALID} <= set(made_up_results(plan, base=5.0, sd=3.0))


def test_several_arms__placebo_is_like_control() -> None:
    arms = (
        PlannedVariant("control", "a", 3_334),
        PlannedVariant("banner", "b", 3_333),
        PlannedVariant("loud", "c", 3_333, role="placebo"),
    )
    found = made_up_results(encouragement(variants=arms, planned_units=40_000), base=0.22)
    values = found[Code.CAUSES].report.outcomes[0].values

    assert values["loud"].mean == pytest.approx(values["control"].mean)
    assert values["banner"].mean != pytest.approx(0.22)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"cluster": "guild"}, "cluster"),
        ({"primary": ()}, "outcome"),
        ({"primary": ("count:a:0-6 / count:b:0-6",)}, "outcome"),
        ({"primary": ("no metric",)}, "outcome"),
        ({"variants": (PlannedVariant("control", "a", 10_000),)}, "groups"),
    ],
)
def test_unfit__says_why(changes: dict[str, Any], why: str) -> None:
    assert unfit(replace(encouragement(), **changes)) == why


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "ko"])
def test_page__chosen_verdict__is_marked_as_made_up(viewer: Client, language: str) -> None:
    draft("exp", primary_metrics=["window:21-27"], planned_units=16_000, smallest_effect=0.02)

    first = page(viewer, "exp/preview/", language)
    harm = page(viewer, "exp/preview/?verdict=HARMS", language)
    nonsense = page(viewer, "exp/preview/?verdict=<b>", language)

    made_up = {"en": "Made-up numbers", "ko": "가상의 수치"}[language]
    assert all(made_up in text for text in (first, harm, nonsense))
    assert {"en": "Fewer users stay.", "ko": "남는 사용자가 줄었습니다."}[language] in harm
    assert 'href="?verdict=INVALID"' in first
    assert "<b>" not in nonsense.split("<main")[1].split("levels-said")[0]
