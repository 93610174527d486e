"""Effect per act before effect per crossing, where most acts that the nudge added lie on one side of the number."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from experiments.analyse.analyse_experiment import analyse_answers, per_act
from experiments.analyse.codes import Code
from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.analyse.effects import OutcomeReport
from experiments.analyse.gather.answers import Audit
from experiments.analyse.result import ByTimes, Opened
from experiments.analyse.verdict import Verdict
from experiments.report import acts as report_acts
from experiments.report.verdict import verdict_sentence
from stats.instrument.dose import DoseWeights
from stats.results import computable
from stats.sequential.looks import fixed
from tests.experiments.make_answers import draw_units, make_analysed, make_answers, make_cells
from tests.experiments.make_readout import opened

METRIC = "window:21-27"


def friends(mean: float, seed: int = 1, *, worth: float = 0.02, step: float = 0.0, n: int = 30_000) -> dict[str, Any]:
    """Review B4's world: each friend is worth 2 points, there is no threshold; the nudge triples them for 60 %."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, n)
    times = rng.poisson(np.where((arm == 1) & (rng.random(n) < 0.6), 3 * mean, mean)).clip(0, 11)
    value = rng.random(n) < np.minimum(0.2 + worth * times + step * (times >= 3), 1)
    return draw_units(
        n, arm=arm, times=times.astype(float), reached=(times >= 3).astype(float), value=value.astype(float)
    )


def read(units: dict[str, Any], **plan: Any) -> Opened:
    given = {"smallest_effect": None, "planned_units": 40_000, **plan}
    analysed, audit = make_analysed(**given), Audit(0, 0, {})
    return opened(analyse_answers(analysed, make_answers(units), audit, today=date(2026, 4, 1)))


@pytest.mark.parametrize("mean", [1.0, 2.0])
def test_each_act_counts__sentence_leads_with_the_act(mean: float) -> None:
    found = read(friends(mean))

    assert found.verdict is not None
    assert found.verdict.code is Code.CAUSES
    said = verdict_sentence(found.verdict)
    assert said.startswith("Each extra time is worth ")
    assert said.endswith("Measured per user who did it because of the nudge; includes any further times.")
    low, high = (float(found.verdict.details[name]) for name in ("act_low", "act_high"))
    assert low < 0.02 < high
    # The whole set of the crossing lies above what one act is worth: the friend that crosses is worth 2 points.
    assert float(found.verdict.details["effect_low"]) > high
    assert found.report.outcomes[0].comparisons[0].verdict == found.verdict


def test_acts_that_mostly_cross_the_number__sentence_is_of_the_crossing() -> None:
    units = draw_units(6_000)
    found = read({**units, "times": np.where(units["reached"] == 1, 3.0, 2.0)})

    assert found.verdict is not None
    assert found.verdict.code is Code.CAUSES
    assert "at_threshold" not in found.verdict.details


def judged(share: float, verdict: Verdict) -> OutcomeReport:
    """One comparison with so much of the weight at Z."""
    units = friends(1.0, n=6_000)
    answers, plan = make_answers(units), make_analysed(smallest_effect=None)
    readout = opened(analyse_answers(plan, answers, Audit(0, 0, {}), today=date(2026, 4, 1)))
    outcome = readout.report.outcomes[0]
    acts = readout.by_times[0]
    weights = DoseWeights((1, 2, 3), (0.1,) * 3, (0.01,) * 3, (0.3,) * 3, 3, share, 1 - share, ())
    row = replace(outcome.comparisons[0], verdict=verdict)
    data = CellData(make_cells(units), (METRIC,), {})
    return per_act(
        replace(outcome, comparisons=(row,)), [ByTimes("nudge", acts.response, weights)], data, {"nudge": fixed(0.05)}
    )


CAUSES = Verdict(Code.CAUSES, "behaviour", {"outcome": METRIC})


@pytest.mark.parametrize(("share", "led"), [(0.5, False), (0.4999, True), (-0.1, True), (1.2, False)])
def test_half_of_the_weight__is_the_border(share: float, led: bool) -> None:
    assert ("at_threshold" in judged(share, CAUSES).comparisons[0].verdict.details) is led


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(Code.INCONCLUSIVE, "underpowered", {}),
        Verdict(Code.CAUSES, "nudge", {}),
        Verdict(Code.CAUSES, "crossed", {}),
        Verdict(Code.NO_MATERIAL_EFFECT, "equivalent", {}),
    ],
)
def test_other_verdicts__say_nothing_of_single_acts(verdict: Verdict) -> None:
    assert judged(0.1, verdict).comparisons[0].verdict == verdict


@pytest.mark.slow
def test_set_of_one_act__is_read_at_the_look() -> None:
    units = friends(2.0)
    whole = [read(units, method=method).verdict for method in ("fixed", "always_valid")]

    assert all(computable(one.details.get("act_low", 0.0)) for one in whole)
    widths = [float(one.details["act_high"]) - float(one.details["act_low"]) for one in whole]
    assert widths[1] > 1.3 * widths[0]


@pytest.mark.parametrize(("level", "low", "high"), [(0.95, 8.04, 11.96), (0.99, 7.4242, 12.5758)])
def test_weights__drawn__have_limits_of_the_plans_level(level: float, low: float, high: float) -> None:
    found = DoseWeights((1, 2), (0.1, 0.1), (0.01, 0.01), (0.5, 0.5), 2, 0.5, 0.5, ())

    chart, _marks = report_acts.draw(found, level)

    row = next(iter(chart.to_dict()["datasets"].values()))[0]
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-3)
