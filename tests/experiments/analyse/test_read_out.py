"""From plan and answers to the readout: what is locked, what is said, what stands, and that it is kept whole."""

from dataclasses import fields, replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.codes import Code
from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.analyse.gather.answers import Answers, Audit
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Locked, LookTaken, Opened, State
from experiments.plan.analysed import Analysed
from stats.results import NotComputable, Reason, computable
from tests.experiments.make_answers import draw_units, make_analysed, make_answers, make_cells
from tests.marks import first_in_ci
from tests.rates import at_most

TODAY = date(2026, 4, 1)
CLEAN = Audit(0, 0, {})
# Fields that only an opened result has.
OUTCOMES = {field.name for field in fields(Opened)} - {field.name for field in fields(Locked)}
METRICS = ("window:21-27", "on_day:1", "active_days:0-6")


def read(plan: Analysed | None = None, answers: Answers | None = None, **options: Any) -> AnalysisResult:
    return analyse_answers(
        plan or make_analysed(), answers or make_answers(draw_units(6_000)), CLEAN, today=TODAY, **options
    )


def test_final__holds_everything_and_survives_storage() -> None:
    units = draw_units(6_000)
    answers = make_answers(units, cells=make_cells(units, outcomes=METRICS))
    found = read(make_analysed(secondary=("on_day:1",), guardrails=("active_days:0-6",)), answers)

    assert isinstance(found, Opened)
    assert found.verdict is not None
    assert found.verdict.code is Code.CAUSES
    assert [outcome.name for outcome in found.report.outcomes] == list(METRICS)
    assert found.report.outcomes[0].comparisons[0].encouragement is not None
    assert (len(found.through), len(found.by_times), len(found.over_time), len(found.arms_over_time)) == (1, 1, 1, 2)
    assert len(found.beliefs) == 3
    assert found.path[-1].units == 6_000
    assert READOUT.read(READOUT.store(found)) == found


def test_pending__shows_no_outcome_anywhere() -> None:
    found = read(make_analysed(enrolment_ended=None))

    assert found.maturity.state is State.PENDING
    assert found.verdict is None
    assert isinstance(found, Locked)
    assert found.path == ()
    assert not set(vars(found)) & OUTCOMES
    assert found.first_stage[0].variant == "nudge"
    kept = READOUT.store(found)
    assert not any(kept[name] for name in OUTCOMES)
    mean = float(draw_units(6_000)["value"].mean())
    assert f"{mean:.6f}" not in str(kept)


def test_pending__broken_data_are_said_at_once() -> None:
    answers = replace(make_answers(draw_units(6_000)), several_variants=500)

    found = read(make_analysed(enrolment_ended=None), answers)

    assert found.verdict is not None
    assert (found.verdict.code, found.verdict.reason) == (Code.INVALID, "multi_exposure")
    assert isinstance(found, Locked)


def test_peek__is_the_gravest_finding_after_errors() -> None:
    found = read(make_analysed(enrolment_ended=None), peek=True)

    assert found.maturity.peeked
    assert found.health[0].check == "peeked"
    assert found.path[-1].peeked


def test_first_stage__counts_units_whose_outcome_is_not_known_yet() -> None:
    units = draw_units(6_000, mature=np.zeros(6_000, dtype=bool))

    found = read(make_analysed(enrolment_ended=None), make_answers(units))

    take_up = found.first_stage[0].take_up
    assert computable(take_up)
    reached = [units["reached"][units["arm"] == arm].mean() for arm in (0, 1)]
    assert take_up.difference == pytest.approx(reached[1] - reached[0])


@pytest.mark.slow
@pytest.mark.parametrize(("planned", "noted"), [(0.6, True), (0.2, False)])
@pytest.mark.parametrize("effect", [0.5, 0.0])
def test_take_up_far_below_plan__is_a_note_and_no_verdict(planned: float, noted: bool, effect: float) -> None:
    """Review A3: with a planned take-up of .6 and a true one of .1 (F about 290) 10 of 10 were "another path"."""
    for seed in range(4):
        answers = make_answers(draw_units(20_000, seed, moved=0.1, effect=effect))
        found = read(make_analysed(take_up=planned, smallest_effect=None, planned_units=20_000), answers)

        stage = found.first_stage[0].take_up
        assert computable(stage)
        assert computable(stage.f_statistic)
        assert stage.f_statistic > 200
        assert found.verdict is not None
        assert found.verdict.code is (Code.CAUSES if effect else Code.INCONCLUSIVE)
        assert any(finding.check == "take_up_below_plan" for finding in found.health) is noted


@pytest.mark.slow
def test_sequential__set_p_and_interval_agree_at_every_look() -> None:
    for method in ("group_sequential", "always_valid"):
        for seed in range(12):
            answers = make_answers(draw_units(1_000, seed, effect=0.25))
            found = read(make_analysed(method=method, enrolment_ended=None), answers)
            assert isinstance(found, Opened)
            row = found.report.outcomes[0].comparisons[0]
            assert row.encouragement is not None
            assert computable(row.difference)
            assert computable(row.encouragement.effect_set)
            significant = row.difference.p_value < 0.05
            assert significant == (row.difference.low > 0 or row.difference.high < 0)
            assert significant != row.encouragement.effect_set.contains(0.0)


def earlier(verdict: str, **changes: Any) -> LookTaken:
    given = {
        "on": date(2026, 2, 1),
        "measured": make_analysed().plan.measured,
        "variant": "nudge",
        "units": 500,
        "fraction": 0.4,
        "estimate": 0.1,
        "low": 0.01,
        "high": 0.2,
        "z": 4.0,
        "critical": 3.4,
        "p_value": 0.001,
        "peeked": False,
    }
    return LookTaken(**{**given, "verdict": verdict, **changes})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("look", "code", "reason"),
    [
        (earlier("CAUSES"), Code.CAUSES, "crossed"),
        (earlier("INCONCLUSIVE"), Code.INCONCLUSIVE, "underpowered"),
        (earlier("CAUSES", peeked=True), Code.INCONCLUSIVE, "underpowered"),
        (earlier("CAUSES", variant="other"), Code.INCONCLUSIVE, "underpowered"),
        (
            earlier("CAUSES", measured=make_analysed(primary=("on_day:1",)).plan.measured),
            Code.INCONCLUSIVE,
            "underpowered",
        ),
    ],
)
def test_bound_that_was_crossed__stays_crossed(look: LookTaken, code: Code, reason: str) -> None:
    answers = make_answers(draw_units(2_000, 3, effect=0.0))
    plan = make_analysed(method="group_sequential")

    found = read(plan, answers, earlier=(look,))

    assert found.verdict is not None
    assert (found.verdict.code, found.verdict.reason) == (code, reason)
    assert any(finding.check == "crossed_earlier" for finding in found.health) is (reason == "crossed")


def test_invalid_data__outweigh_a_bound_that_was_crossed() -> None:
    answers = replace(make_answers(draw_units(2_000, 3, effect=0.0)), several_variants=500)

    found = read(make_analysed(method="group_sequential"), answers, earlier=(earlier("CAUSES"),))

    assert found.verdict is not None
    assert found.verdict.code is Code.INVALID


@pytest.mark.slow
def test_secondary_outcomes__dont_cost_the_primary_one() -> None:
    units = draw_units(6_000, 8, effect=0.12)
    plain = read(make_analysed(), make_answers(units))
    more = read(make_analysed(secondary=METRICS[1:]), make_answers(units, cells=make_cells(units, outcomes=METRICS)))

    assert isinstance(plain, Opened)
    assert isinstance(more, Opened)
    assert more.report.outcomes[0].comparisons[0].adjusted_p == plain.report.outcomes[0].comparisons[0].adjusted_p


def three_arms(seed: int = 5, n: int = 12_000, *, effect: float = 0.0) -> tuple[dict[str, Any], tuple[str, ...]]:
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 3, n)
    did = (rng.random(n) < 0.2 + 0.3 * (arm > 0)).astype(float)
    kept = (rng.random(n) < 0.3 + effect * did).astype(float)
    return draw_units(n, arm=arm, reached=did, times=3 * did, value=kept), ("control", "a", "b")


@pytest.mark.slow
def test_bound_crossed_by_an_arm_that_is_behind_today__leads() -> None:
    units, labels = three_arms()
    plan = make_analysed(variants=labels, shares={"": (1 / 3, 1 / 3, 1 / 3)}, method="always_valid")
    answers = make_answers(units, cells=make_cells(units, variants=labels))

    for arm in ("a", "b"):
        found = read(plan, answers, earlier=(earlier("CAUSES", variant=arm),))
        assert found.verdict is not None
        assert (found.verdict.code, found.verdict.details["variant"]) == (Code.CAUSES, arm)
        assert isinstance(found, Opened)
        assert found.report.leading == arm


@pytest.mark.slow
def test_group_sequential__more_units_than_planned__the_end_still_has_alpha() -> None:
    units = draw_units(6_000)
    plan = make_analysed(method="group_sequential", planned_units=3_000)

    found = read(plan, make_answers(units), earlier=(earlier("INCONCLUSIVE", fraction=0.9),))

    assert found.verdict is not None
    assert (found.verdict.code, found.verdict.reason) == (Code.CAUSES, "behaviour")
    assert found.path[-1].critical < 2.5


def test_early_look__whose_bounds_are_wide__is_not_a_failed_nudge() -> None:
    units = draw_units(300, 2, moved=0.1, effect=0.05)

    found = read(
        make_analysed(method="group_sequential", planned_units=1_400, enrolment_ended=None), make_answers(units)
    )

    assert found.verdict is not None
    assert (found.verdict.code, found.verdict.reason) == (Code.INCONCLUSIVE, "early")


def test_one_dose_arm__is_compared_and_nothing_breaks() -> None:
    plan = make_analysed(doses={"nudge": 5})

    found = read(plan)

    assert isinstance(found, Opened)
    assert found.dose is None
    assert found.report.leading == "nudge"


@pytest.mark.slow
def test_dose_arm__doesnt_lead_beside_the_nudge_itself() -> None:
    units, labels = three_arms(effect=0.2)
    plan = make_analysed(variants=labels, doses={"b": 5}, shares={"": (1 / 3, 1 / 3, 1 / 3)})

    found = read(plan, make_answers(units, cells=make_cells(units, variants=labels)))

    assert isinstance(found, Opened)
    assert found.report.leading == "a"
    assert found.dose is not None


def unequal(seed: int, *, effect: float = 0.0, n: int = 20_000) -> Answers:
    """Two segments of other base rates and other splits; the nudge moves nothing and nobody unless said."""
    rng = np.random.default_rng(seed)
    segment = rng.integers(0, 2, n)
    arm = (rng.random(n) < np.where(segment == 1, 0.9, 0.5)).astype(int)
    did = (rng.random(n) < np.where(segment == 1, 0.5, 0.1) + effect * arm).astype(float)
    kept = (rng.random(n) < np.where(segment == 1, 0.6, 0.2)).astype(float)
    return make_answers(draw_units(n, arm=arm, segment=segment, reached=did, times=3 * did, value=kept))


UNEQUAL = {"new": (0.5, 0.5), "old": (0.1, 0.9)}


def test_unequal_splits__whole_groups_are_not_compared_and_say_why() -> None:
    found = read(make_analysed(shares=UNEQUAL), unequal(3))

    assert isinstance(found, Opened)
    row = found.report.outcomes[0].comparisons[0]
    assert row.encouragement is not None
    take_up = row.encouragement.take_up
    assert computable(take_up)
    assert take_up.variant - take_up.control == pytest.approx(take_up.difference)
    assert abs(take_up.difference) < 0.03
    stage = found.first_stage[0].take_up
    assert computable(stage)
    assert abs(stage.difference) < 0.03
    panel, time = found.through[0], found.over_time[0]
    hidden = (panel.shares, panel.levels, panel.bounds, panel.per_protocol, time.days, time.restricted, time.crossing)
    assert all(isinstance(value, NotComputable) and value.reason is Reason.SPLIT_DIFFERS for value in hidden)
    assert time.novelty.weeks == ()
    assert any(finding.check == "split_differs" for finding in found.health)


@pytest.mark.slow
@pytest.mark.parametrize("runs", first_in_ci([80, 400]))
def test_unequal_splits__inequalities__reject_at_their_level(runs: int) -> None:
    rejected = 0
    for seed in range(runs):
        found = unequal(seed, n=4_000)
        pair = CellData(found.cells, ("window:21-27",), {}, same_split=False).pair("window:21-27", 1)
        test = pair.inequalities()
        rejected += computable(test) and test.p_value < 0.05
    assert at_most(rejected, runs, 0.05)


@pytest.mark.slow
@pytest.mark.proof
def test_looking_every_day__without_first_stage_and_effect__alarms_rarely() -> None:
    """No verdict but INCONCLUSIVE, NUDGE_FAILED or NO_MATERIAL_EFFECT may come, over all looks of a run together."""
    wrong = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        n = 4_000
        arm, did = rng.integers(0, 2, n), (rng.random(n) < 0.3).astype(float)
        kept = (rng.random(n) < 0.4).astype(float)
        units = draw_units(n, arm=arm, reached=did, times=3 * did, value=kept)
        plan = make_analysed(method="always_valid", enrolment_ended=None, planned_units=n, take_up=None)
        codes = set()
        for share in np.linspace(0.1, 1.0, 10):
            part = {name: values[: int(share * n)] for name, values in units.items()}
            found = read(plan, make_answers(part))
            assert found.verdict is not None
            codes.add((found.verdict.code, found.verdict.reason))
        wrong += any(
            code in (Code.CAUSES, Code.HARMS, Code.NUDGE_NOT_BEHAVIOUR) or reason == "wrong_direction"
            for code, reason in codes
        )
    assert wrong <= 17  # 99.9 % of binomials of 150 at .05
