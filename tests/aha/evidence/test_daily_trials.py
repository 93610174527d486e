"""Days at risk, counted on fingers; and what the daily trials find where the truth is known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from statsmodels.regression.linear_model import OLS

from aha.evidence.aipw import Difference, draw_rows, weigh
from aha.evidence.daily_trials import UnitDays, trials_of, unit_days
from aha.evidence.ladder import RungName, Units, climb, daily_rung
from aha.evidence.nuisance import Nuisance, fit_nuisance
from events.simulation import WORLDS, simulate
from events.simulation.worlds import TARGET, World
from stats.results import NotComputable, Reason
from tests.aha.days_at_risk import effect_at_risk
from tests.aha.worlds import candidate, trials
from tests.stats.make import computed


def days(rows: list[tuple[int, int, bool, int, int]]) -> UnitDays:
    """Rows of unit, day, active, times of the behaviour, times of another one."""
    unit, day, active, own, other = (np.array(column) for column in zip(*rows, strict=True))
    return UnitDays(unit, day, active.astype(np.bool_), np.column_stack([own, other]).astype(np.int32))


BY_HAND = days(
    [
        (0, 0, True, 1, 0),
        (0, 1, True, 0, 2),
        (0, 3, True, 1, 1),  # reaches 2
        (0, 4, True, 5, 0),  # has reached it: no more at risk
        (2, 0, True, 2, 0),  # reaches 2 at once
        (5, 0, True, 0, 0),
        (5, 1, False, 2, 0),  # reaches 2 on a day that counts as no activity: no trial, and none later
        (5, 2, True, 0, 0),
        (7, 0, True, 0, 3),
        (7, 6, True, 9, 0),  # beyond the window of 5 days
    ]
)


def test_trials__by_hand__a_row_for_each_active_day_below_the_number() -> None:
    found = trials_of(BY_HAND, 0, [1], times=2, within=5)

    assert found.unit.tolist() == [0, 0, 0, 2, 5, 7]
    assert found.did.tolist() == [False, False, True, True, False, False]


def test_trials__by_hand__history_ends_the_day_before() -> None:
    found = trials_of(BY_HAND, 0, [1], times=2, within=5)

    names = ("day 1", "day 3", "once before", "1 active day", "2 active days", "active yesterday", "log of others")
    assert found.history.shape == (6, len(names))
    assert_array_equal(found.history[:, 0], [0, 1, 0, 0, 0, 0])
    assert_array_equal(found.history[:, 1], [0, 0, 1, 0, 0, 0])
    assert_array_equal(found.history[:, 2], [0, 1, 1, 0, 0, 0])
    assert_array_equal(found.history[:, 3], [0, 1, 0, 0, 0, 0])
    assert_array_equal(found.history[:, 4], [0, 0, 1, 0, 0, 0])
    assert_array_equal(found.history[:, 5], [0, 1, 0, 0, 0, 0])
    # What happens on the day itself, and later, never enters.
    assert found.history[:, 6] == pytest.approx(np.log1p([0, 0, 2, 0, 0, 0]))


def test_trials__window_of_one_day__knows_only_what_came_before_it() -> None:
    found = trials_of(BY_HAND, 0, [], times=1, within=1)

    assert found.unit.tolist() == [0, 2, 5, 7]
    assert found.did.tolist() == [True, True, False, False]
    assert not found.history.any()


def test_unit_days__rows_of_the_warehouse__join_activity_and_counts() -> None:
    made = unit_days(counted=([5, 0, 0], [0, 1, 0], [1, 1, 0], [2, 2, 1]), active=([0, 0, 5], [0, 1, 0]), behaviours=2)

    assert made.unit.tolist() == [0, 0, 5, 5]
    assert made.day.tolist() == [0, 1, 0, 1]
    assert made.active.tolist() == [True, True, True, False]
    assert made.counts.tolist() == [[1, 0], [0, 2], [0, 0], [2, 0]]


@pytest.mark.parametrize("rows", [[(1, 0), (0, 0)], [(0, 1), (0, 0)], [(0, 0), (0, 0)]])
def test_unit_days__out_of_order_or_twice__raises(rows: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        days([(unit, day, True, 0, 0) for unit, day in rows])


def test_weigh__rows_of_one_unit__error_is_that_of_clusters() -> None:
    rng, n = np.random.default_rng(3), 600
    unit = np.repeat(np.arange(150), 4)
    shared = rng.normal(size=150)[unit]
    did = rng.random(n) < 0.5
    outcome = shared + rng.normal(size=n)
    half = np.full(n, 0.5)
    nuisance = Nuisance(half, np.zeros(n), np.zeros(n))

    ours = computed(weigh(outcome, did, nuisance, unit=unit))

    # Statsmodels: the mean of psi with clusters; its small-sample factor is G/(G-1) (n-1)/(n-k), here with k = 1.
    psi = np.where(did, outcome / 0.5, -outcome / 0.5)
    theirs = OLS(psi, np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": unit})
    assert ours.difference.estimate == pytest.approx(theirs.params[0])
    assert ours.difference.standard_error == pytest.approx(theirs.bse[0])
    assert ours.units == 150
    plain = computed(weigh(outcome, did, nuisance))
    assert plain.difference.standard_error != pytest.approx(theirs.bse[0], rel=1e-3)


def test_weigh__each_row_its_own_unit__error_is_the_plain_one() -> None:
    rng, n = np.random.default_rng(4), 200
    did, outcome = rng.random(n) < 0.5, rng.normal(size=n)
    nuisance = Nuisance(np.full(n, 0.5), np.zeros(n), np.zeros(n))

    plain, clustered = (computed(weigh(outcome, did, nuisance, unit=unit)) for unit in (None, np.arange(n)))

    assert clustered.difference.standard_error == pytest.approx(plain.difference.standard_error)


def test_nuisance__folds_by_unit__nobody_is_predicted_by_rows_of_their_own() -> None:
    rng = np.random.default_rng(5)
    unit = np.repeat(np.arange(300), 5)
    outcome = (rng.random(300) < 0.5).astype(np.float64)[unit]
    name = rng.normal(size=300)[unit][:, None]  # tells units apart, and nothing else
    did = rng.random(unit.size) < 0.3

    def skill(groups: Any) -> float:
        found = fit_nuisance(outcome, did, name, seed=1, unit=groups)
        return float(np.corrcoef(found.mean_without, outcome)[0, 1])

    assert skill(None) > 0.3  # a model that has seen the unit's other days knows its outcome
    assert abs(skill(unit)) < 0.1


def test_draw_rows__units__come_whole_and_within_the_limit() -> None:
    unit = np.repeat(np.arange(100), np.arange(100) % 7 + 1)

    rows = draw_rows(unit.size, 150, seed=2, unit=unit)

    assert 100 < rows.size <= 150
    drawn = np.unique(unit[rows])
    assert_array_equal(rows, np.flatnonzero(np.isin(unit, drawn)))


def inert(n: int = 6_000, seed: int = 11) -> tuple[Units, UnitDays]:
    """Who is keen, as day 0 shows, does a thing more often, comes more often and stays; the thing does nothing."""
    rng, horizon = np.random.default_rng(seed), 5
    keen = rng.integers(0, 2, n)
    active = rng.random((n, horizon)) < 0.5 + 0.3 * keen[:, None]
    active[:, 0] = True
    own = rng.poisson(0.4 + 0.5 * keen[:, None], (n, horizon)) * active
    own[:, 0] = rng.poisson(0.4, n)
    shown = np.zeros((n, horizon), dtype=np.int64)
    shown[:, 0] = 3 * keen
    unit, day = np.nonzero(active)
    counts = np.column_stack([own[unit, day], shown[unit, day]]).astype(np.int32)
    same = np.zeros(n, dtype=np.int64)
    retained = rng.random(n) < 0.25 + 0.4 * keen
    units = Units(
        retained,
        own.sum(axis=1) >= 2,
        active.sum(axis=1),
        same,
        same,
        np.zeros((n, 0)),
        shown[:, :1].astype(np.float64),
    )
    return units, UnitDays(unit, day, np.ones(unit.size, dtype=np.bool_), counts)


@pytest.mark.slow
def test_climb__common_cause_seen_before_the_act__is_removed() -> None:
    units, rows = inert()

    ladder = climb(units, trials_of(rows, 0, [1], times=2, within=5), seed=1, days=5)

    raw, daily = computed(ladder.rungs[0].difference), computed(ladder.headline.difference)
    assert [rung.name for rung in ladder.rungs] == list(RungName)
    assert ladder.headline.name is RungName.DAILY
    assert raw.low > 0.1
    assert daily.low < 0 < daily.high
    assert ladder.rungs[4].units == 6_000


@pytest.mark.slow
def test_climb__common_cause_not_seen__stays_in_it() -> None:
    units, rows = inert()

    rung = daily_rung(units, trials_of(rows, 0, [], times=2, within=5), units.retained.astype(np.float64), seed=1)

    assert computed(rung.difference).low > 0.03


def test_climb__nobody_reaches_it__headline_falls_back_with_a_reason() -> None:
    units, rows = inert(600)

    ladder = climb(units, trials_of(rows, 0, [1], times=60, within=5), seed=1, days=5)

    daily = ladder.rungs[4].difference
    assert isinstance(daily, NotComputable)
    assert daily.reason is Reason.TOO_FEW_FOR_MODEL
    assert ladder.headline.name is RungName.FULL


@dataclass(frozen=True)
class Trial:
    """One seed: the truth of the sample, and the fifth rung."""

    truth: float
    difference: Difference | NotComputable


def run(world: World, seed: int, units: int = 20_000) -> Trial:
    """One seed without an experiment."""
    simulation = simulate(world, units, seed, arms=np.full(units, -1))
    cell = (TARGET, world.times, world.within)
    outcome = simulation.retained.astype(np.float64)
    rung = daily_rung(candidate(simulation, *cell), trials(simulation, *cell), outcome, seed=seed)
    return Trial(effect_at_risk(simulation), rung.difference)


@pytest.mark.slow
def test_daily_cause__a_coin_on_day_0__is_covered() -> None:
    found = run(WORLDS["daily_cause"], 3, 4_000)

    difference = computed(found.difference)
    assert found.truth == pytest.approx(0.179, abs=0.02)
    assert difference.low <= 0.179 <= difference.high


@pytest.mark.slow
@pytest.mark.proof
def test_measured_confounding__twenty_seeds__are_covered_but_for_chance() -> None:
    found = [run(WORLDS["measured_confounding"], seed, 10_000) for seed in range(20)]

    truth = np.mean([one.truth for one in found])
    known = [one.difference for one in found if not isinstance(one.difference, NotComputable)]
    # 19 of 20 expected; with 16 or fewer the coverage would lie below 93 % (p .05).
    assert sum(one.low <= truth <= one.high for one in known) >= 17
    assert abs(np.mean([one.estimate for one in known]) - truth) < 0.01


@pytest.mark.slow
def test_no_effect__engagement_was_never_measured__is_left_in_it() -> None:
    # The limit of the method, and why no page calls it free of confounding.
    assert computed(run(WORLDS["no_effect"], 1).difference).low > 0.05
