"""From plan and answers to the readout: what is locked, what is said, what stands, and that it is kept whole."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from events.reasons import computable
from events.records import dump, load
from experiments.analysis import min_first_stage, read_out
from experiments.answers import Answers
from experiments.live_context import Audit
from experiments.readout import LookTaken, Planned, Readout, State
from experiments.verdict import Code
from tests.experiments.make_answers import draw_units, make_answers, make_cells, make_plan

TODAY = date(2026, 4, 1)
CLEAN = Audit(0, 0, {})
METRICS = ("window:21-27", "on_day:1", "active_days:0-6")


def read(plan: Planned | None = None, answers: Answers | None = None, **options: Any) -> Readout:
    return read_out(plan or make_plan(), answers or make_answers(draw_units(6_000)), CLEAN, today=TODAY, **options)


def test_final__holds_everything_and_survives_storage() -> None:
    units = draw_units(6_000)
    answers = make_answers(units, cells=make_cells(units, outcomes=METRICS))
    found = read(make_plan(secondary=("on_day:1",), guardrails=("active_days:0-6",)), answers)

    assert found.report is not None
    assert found.verdict is not None
    assert found.verdict.code is Code.CAUSES
    assert [outcome.name for outcome in found.report.outcomes] == list(METRICS)
    assert found.report.outcomes[0].comparisons[0].encouragement is not None
    assert (len(found.through), len(found.by_times), len(found.over_time), len(found.arms_over_time)) == (1, 1, 1, 2)
    assert len(found.beliefs) == 3
    assert found.path[-1].units == 6_000
    assert load(Readout, dump(found)) == found


def test_pending__shows_no_outcome_anywhere() -> None:
    found = read(make_plan(enrolment_ended=None))

    assert found.standing.state is State.PENDING
    assert found.verdict is None
    assert found.report is None
    assert not any((found.path, found.beliefs, found.through, found.over_time, found.arms_over_time, found.shrunk))
    assert found.first_stage[0].variant == "nudge"
    kept = str(dump(found))
    mean = float(draw_units(6_000)["value"].mean())
    assert f"{mean:.6f}" not in kept


def test_pending__broken_data_are_said_at_once() -> None:
    answers = replace(make_answers(draw_units(6_000)), several_variants=500)

    found = read(make_plan(enrolment_ended=None), answers)

    assert found.verdict is not None
    assert (found.verdict.code, found.verdict.reason) == (Code.INVALID, "multi_exposure")
    assert found.report is None


def test_peek__is_the_gravest_finding_after_errors() -> None:
    found = read(make_plan(enrolment_ended=None), peek=True)

    assert found.standing.peeked
    assert found.health[0].check == "peeked"
    assert found.path[-1].peeked


def test_first_stage__counts_units_whose_outcome_is_not_known_yet() -> None:
    units = draw_units(6_000, mature=np.zeros(6_000, dtype=bool))

    found = read(make_plan(enrolment_ended=None), make_answers(units))

    take_up = found.first_stage[0].take_up
    assert computable(take_up)
    reached = [units["reached"][units["arm"] == arm].mean() for arm in (0, 1)]
    assert take_up.difference == pytest.approx(reached[1] - reached[0])


@pytest.mark.parametrize(("planned", "least"), [(None, 0.01), (0.02, 0.01), (0.2, 0.05)])
def test_min_first_stage__a_quarter_of_the_planned_one(planned: float | None, least: float) -> None:
    assert min_first_stage(make_plan(take_up=planned)) == pytest.approx(least)


def test_sequential__set_p_and_interval_agree_at_every_look() -> None:
    for method in ("group_sequential", "always_valid"):
        for seed in range(12):
            answers = make_answers(draw_units(1_000, seed, effect=0.25))
            found = read(make_plan(method=method, enrolment_ended=None), answers)
            assert found.report is not None
            row = found.report.outcomes[0].comparisons[0]
            assert row.encouragement is not None
            assert computable(row.difference)
            assert computable(row.encouragement.effect_set)
            significant = row.difference.p_value < 0.05
            assert significant == (row.difference.low > 0 or row.difference.high < 0)
            assert significant != row.encouragement.effect_set.contains(0.0)


def earlier(verdict: str, **changes: Any) -> LookTaken:
    given = {"on": date(2026, 2, 1), "variant": "nudge", "units": 500, "fraction": 0.4, "estimate": 0.1, "low": 0.01,
             "high": 0.2, "z": 4.0, "critical": 3.4, "p_value": 0.001, "peeked": False}  # fmt: skip
    return LookTaken(**{**given, "verdict": verdict, **changes})


@pytest.mark.parametrize(
    ("look", "code", "reason"),
    [
        (earlier("CAUSES"), Code.CAUSES, "crossed"),
        (earlier("INCONCLUSIVE"), Code.INCONCLUSIVE, "underpowered"),
        (earlier("CAUSES", peeked=True), Code.INCONCLUSIVE, "underpowered"),
        (earlier("CAUSES", variant="other"), Code.INCONCLUSIVE, "underpowered"),
    ],
)
def test_bound_that_was_crossed__stays_crossed(look: LookTaken, code: Code, reason: str) -> None:
    answers = make_answers(draw_units(2_000, 3, effect=0.0))
    plan = make_plan(method="group_sequential")

    found = read(plan, answers, earlier=(look,))

    assert found.verdict is not None
    assert (found.verdict.code, found.verdict.reason) == (code, reason)
    assert any(finding.check == "crossed_earlier" for finding in found.health) is (reason == "crossed")


def test_invalid_data__outweigh_a_bound_that_was_crossed() -> None:
    answers = replace(make_answers(draw_units(2_000, 3, effect=0.0)), several_variants=500)

    found = read(make_plan(method="group_sequential"), answers, earlier=(earlier("CAUSES"),))

    assert found.verdict is not None
    assert found.verdict.code is Code.INVALID


def test_secondary_outcomes__dont_cost_the_primary_one() -> None:
    units = draw_units(6_000, 8, effect=0.12)
    plain = read(make_plan(), make_answers(units))
    more = read(make_plan(secondary=METRICS[1:]), make_answers(units, cells=make_cells(units, outcomes=METRICS)))

    assert plain.report is not None
    assert more.report is not None
    assert more.report.outcomes[0].comparisons[0].adjusted_p == plain.report.outcomes[0].comparisons[0].adjusted_p


def test_placebo__has_no_panel_of_its_own_and_convicts() -> None:
    rng = np.random.default_rng(5)
    n = 12_000
    arm = rng.integers(0, 3, n)
    did = (rng.random(n) < 0.2 + 0.3 * (arm == 1)).astype(float)
    kept = (rng.random(n) < 0.3 + 0.15 * (arm > 0)).astype(float)
    units = draw_units(n, arm=arm, reached=did, times=3 * did, value=kept)
    labels = ("control", "nudge", "placebo")
    plan = make_plan(variants=labels, placebo="placebo", shares={"": (1 / 3, 1 / 3, 1 / 3)})

    found = read(plan, make_answers(units, cells=make_cells(units, variants=labels)))

    assert found.verdict is not None
    assert (found.verdict.code, found.verdict.reason) == (Code.NUDGE_NOT_BEHAVIOUR, "placebo")
    assert [row.variant for row in found.through] == ["nudge"]
