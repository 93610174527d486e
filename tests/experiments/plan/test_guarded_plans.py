"""Plans with guardrails, ratios and caps: what the units of four weeks say of them, and what a start fixes."""

import pytest

from experiments.plan import amend, moves, size
from experiments.plan.lifecycle import Action
from runs.refusals import Refused
from tests.experiments.make import draft

pytestmark = pytest.mark.django_db


def test_size__guardrails_with_margins__are_measured_and_make_it_larger(world: None) -> None:
    plain = draft("plain", enrolment="new_units", smallest_effect=0.1, primary_metrics=["on_day:3"])
    guarded = draft(
        "guarded",
        enrolment="new_units",
        smallest_effect=0.1,
        primary_metrics=["on_day:3"],
        guardrail_metrics=["count:add:0-1", "quantile:50%:count:add:0-1"],
        guardrail_rules={
            "count:add:0-1": {"direction": "higher", "margin": 0.05},
            "quantile:50%:count:add:0-1": {"direction": "higher", "margin": 0.05},  # no size comes from it
        },
    )

    alone, found = size.suggest_size(plain), size.suggest_size(guarded)

    (watched,) = found.inflow.guardrails
    assert watched.margin == 0.05
    assert watched.baseline == pytest.approx(0.4)  # every fifth adds two
    assert watched.sd == pytest.approx(0.8, rel=0.01)
    assert alone.power_to_ship is None
    assert isinstance(found.planned_units, int)
    assert isinstance(alone.planned_units, int)
    assert found.planned_units > alone.planned_units
    assert found.power_to_ship == pytest.approx(0.9, abs=0.01)  # the guardrail's .9; the outcome is sure by then


def test_inflow__ratio__has_the_spread_of_one_units_part(world: None) -> None:
    found = size.base_rate_and_inflow("count:play:0-3 / count:add:0-3", signup_event="signup")

    assert found.base == pytest.approx(0.5 / 0.4)
    assert found.sd is not None
    # Var(M - rK) / K0^2 with M of half, K = 2 of a fifth, independent up to the pattern of ten units
    assert found.sd == pytest.approx((0.25 + 1.25**2 * 0.64 - 2 * 1.25 * 0.0) ** 0.5 / 0.4, rel=0.02)
    assert found.last_day == 3


def test_start__open_cap__becomes_a_number_of_the_units_before(world: None) -> None:
    text = "capped:60%:count:add:0-1"
    rule = {"direction": "higher", "margin": 0.1}
    row = draft("exp", guardrail_metrics=["capped:90%:count:add:0-1"], secondary_metrics=["capped:9:count:add:0-1"],
                guardrail_rules={"capped:90%:count:add:0-1": rule})  # fmt: skip

    moves.move(key="exp", action=Action.START)

    row.refresh_from_db()
    assert row.guardrail_metrics == ["capped:90%=2:count:add:0-1"]
    assert row.guardrail_rules == {"capped:90%=2:count:add:0-1": rule}
    assert row.secondary_metrics == ["capped:9:count:add:0-1"]
    with pytest.raises(Refused, match="after the start a cap is a number"):
        amend.amend(key="exp", why="more", secondary_metrics=[text])
    other = draft("other", flag_key="other", guardrail_metrics=[text])  # four of five units add nothing
    with pytest.raises(Refused, match="would leave nothing"):
        moves.move(key=other.key, action=Action.START)
    other.refresh_from_db()
    assert (other.status, other.guardrail_metrics) == ("draft", [text])
