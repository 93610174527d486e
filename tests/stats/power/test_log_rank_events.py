"""Events of a log-rank test: published examples, and simulated experiments that find the effect as often as planned."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from stats.power.family_and_looks import Method, Plan, inflation
from stats.power.sample_size import freedman, schoenfeld, survival_size
from stats.survival.kaplan_meier import Durations
from stats.survival.logrank import stratified_log_rank
from tests.stats.make import computed

Z = float(stats.norm.isf(0.025) + stats.norm.ppf(0.8))


def test_events__example_of_the_mrc_statistics_wiki__are_20_and_26() -> None:
    """MRC Cognition and Brain Sciences Unit, FAQ/powsurv: 75 % against 37 % survive; WINPEPI gives 26 by Freedman.

    They round z to 1.96 and .84 (20.39 events, 47 units).
    """
    found = computed(survival_size(Plan(baseline=0.37), 0.38))

    assert schoenfeld(found.hazard_ratio, 2.8) == pytest.approx(20.39, abs=0.05)
    assert (found.events, found.freedman) == (21, 26)
    assert found.size.total == pytest.approx(47, abs=1)


def test_events__hazard_ratio_of_seven_tenths__are_247_and_253() -> None:
    """Schoenfeld: 247 in clinicaltrials-tools' log-rank calculator. Freedman: m of powerSurvEpi's formula, 252.04."""
    assert schoenfeld(0.7, Z) == pytest.approx(246.8, abs=0.1)
    assert freedman(0.7, Z) == pytest.approx(252.04, abs=0.05)


def test_events__lopsided_split__need_more() -> None:
    assert schoenfeld(0.7, Z, 3.0) == pytest.approx(schoenfeld(0.7, Z) * 16 / 12)
    assert schoenfeld(0.7, Z, 3.0) == pytest.approx(schoenfeld(1 / 0.7, Z, 1 / 3))
    assert freedman(0.7, Z, 3.0) == pytest.approx(freedman(1 / 0.7, Z, 1 / 3))


def test_size__looks_and_take_up__cost_what_they_cost_elsewhere() -> None:
    plan = Plan(baseline=0.6)
    alone = computed(survival_size(plan, 0.1))

    looked = replace(plan, method=Method.GROUP_SEQUENTIAL)
    assert computed(survival_size(looked, 0.1)).size.exact == pytest.approx(alone.size.exact * inflation(looked))
    assert computed(survival_size(replace(plan, take_up=0.5), 0.2)) == alone


@pytest.mark.parametrize("effect", [0.0, 0.4, -0.6])
def test_size__nobody_left_or_nobody_leaving__is_refused(effect: float) -> None:
    with pytest.raises(ValueError, match="effect"):
        survival_size(Plan(baseline=0.6), effect)


@pytest.mark.slow
def test_size__simulated_experiments__find_the_effect_as_often_as_planned() -> None:
    """Exponential times in days, all followed to day 28; 400 experiments give 80 % within 4 points (two errors)."""
    plan, rng = Plan(baseline=0.5, shares=(2.0, 1.0)), np.random.default_rng(20261126)
    units = computed(survival_size(plan, 0.12)).size.units
    rates = [-np.log(share) / 28 for share in (0.5, 0.62)]

    found = 0
    for _ in range(400):
        arms = []
        for n, rate in zip(units, rates, strict=True):
            days = rng.exponential(1 / rate, n)
            arms.append(Durations.from_values(np.minimum(days, 28), days < 28))
        test = computed(stratified_log_rank([(arms[0], arms[1])]))
        found += test.p_value < 0.05 and test.observed < test.expected

    assert found / 400 == pytest.approx(0.8, abs=0.04)
