"""Plants asked about again and again: what is really there is found, what isn't is claimed as rarely as promised."""

from dataclasses import replace

import numpy as np
import pytest

from aha.study.grid import CountTable
from events.simulation import WORLDS, simulate
from insight_site.selftest import self_tests
from insight_site.selftest.planted_answers import StudySays, StylesSay, looked_at, search_planted, study_planted
from insight_site.selftest.planted_effects import Ground, Plant, PlantedMoment, shared_cause
from insight_site.selftest.self_tests import Rounds, plant_and_ask
from insight_site.selftest.selftest_result import Asked, Asks, Tally, Why
from runs.progress import silent
from segments.search.features import UnitTable
from stats.results import NotComputable, Reason
from tests.aha.make import table_of_world
from tests.aha.study.test_step import few_patterns

MOMENT = PlantedMoment("friend_add", 3, 7, 0.3)


def rounds(units: int, plants: int, *, effect: float, world: int = 1, trait: bool = True) -> Rounds:
    table: CountTable = table_of_world(simulate(WORLDS["no_effect"], units, world), (1, 3, 7))
    half = np.arange(table.n) % 2 == 0 if trait else None
    ground = Ground(table, MOMENT, shared_cause(table, MOMENT), half, effect)
    small = looked_at(table, ["friend_add", "craft", "chat"], MOMENT)
    asked = Asked("signup", "window:21-27", (1, 3, 7), plants=plants, effect=effect, take_up=0.6)
    return plant_and_ask(ground, small, asked, seed=7, progress=silent)


def by_question(found: Rounds) -> dict[tuple[Plant | None, Asks], Tally]:
    return {(row.plant, row.asks): row for row in found.tallies}


@pytest.mark.slow
def test_rounds__a_large_effect_among_many_users__is_found_where_it_is() -> None:
    found = by_question(rounds(6_000, 2, effect=0.35))

    for key in (
        (Plant.THRESHOLD, Asks.JUMP),
        (Plant.THRESHOLD, Asks.CANDIDATE),
        (Plant.THRESHOLD, Asks.CAUSES),
        (Plant.SMOOTH, Asks.CAUSES),
        (Plant.SEGMENT, Asks.SEGMENTS),
    ):
        assert (found[key].said, found[key].n) == (2, 2), key
    assert found[Plant.NOTHING, Asks.LUCK].n == 2


@pytest.mark.slow
def test_rounds__the_same_seed__gives_the_same_and_no_trait_no_segment_difference() -> None:
    first, again = (rounds(1_000, 1, effect=0.2, trait=False) for _ in range(2))

    assert first == again
    asked = {row.asks for row in first.tallies}
    assert Plant.SEGMENT not in {row.plant for row in first.tallies}
    assert not {Asks.SEGMENTS, Asks.WRONG_SEGMENTS} & asked


def test_looked_at__keeps_the_planted_behaviour_and_three_windows_with_its_own() -> None:
    table = table_of_world(simulate(WORLDS["step"], 500, 1), range(1, 8))

    small = looked_at(table, table.behaviours, PlantedMoment("shop", 2, 5, 0.2))

    assert "shop" in small.behaviours
    assert len(small.behaviours) == 5
    assert 5 in small.days
    assert len(small.days) == 3
    place = table.behaviours.index("shop")
    columns = [table.days.index(day) for day in small.days]
    assert (small.counts[:, small.behaviours.index("shop")] == table.counts[:, place][:, columns]).all()


def players(units: int) -> UnitTable:
    rng = np.random.default_rng(5)
    days = rng.integers(3, 8, units).astype(np.float64)
    counts = rng.poisson(np.array([4.0, 2.0, 1.0, 0.3]) * days[:, None]).astype(np.int32)
    ids = np.array([f"u{number}" for number in range(units)], dtype=np.object_)
    return UnitTable(ids, ("a", "b", "c", "d"), counts, days, days, days + 10, np.zeros(units))


@pytest.mark.slow
def test_styles__planted_ones_are_found_and_users_without_any_are_no_groups() -> None:
    with_styles, without = (
        search_planted(players(600), planted=planted, rng=np.random.default_rng(1), seed=1) for planted in (True, False)
    )

    assert isinstance(with_styles, StylesSay)
    assert isinstance(without, StylesSay)
    assert with_styles.found
    assert with_styles.agreement > 0.9
    assert not without.found
    assert abs(without.agreement) < 0.1


@pytest.mark.slow
@pytest.mark.proof
def test_false_alarms__over_100_plants__are_at_their_nominal_rates() -> None:
    found = by_question(rounds(1_500, 100, effect=0.1))

    alarms = [row for row in found.values() if row.planned is not None]
    assert len(alarms) >= 10
    assert {row.n for row in alarms} == {100}
    assert [row for row in alarms if row.is_off] == []


def study(*, detection: float | None, not_apart: bool = False) -> StudySays:
    return StudySays(True, False, False, True, True, None, detection, not_apart)


def test_reasons__for_no_jump__name_what_most_studies_met() -> None:
    blind, lost, found = study(detection=0.4), study(detection=None, not_apart=True), study(detection=None)

    def whys(studies: list[StudySays]) -> dict[Why, int | float | str]:
        return {one.why: one.figures.get("k", "") for one in self_tests._of_steps(MOMENT, studies)}

    assert whys([found] * 10) == {}
    assert whys([blind] * 2 + [found] * 8) == {Why.LOW_DETECTION: ""}
    assert whys([lost] * 2 + [found] * 8) == {}  # a fifth is what a power of 80 % loses
    assert whys([lost] * 3 + [found] * 7) == {Why.NOT_APART: 3}
    assert whys([blind] * 5 + [lost] * 5) == {Why.LOW_DETECTION: "", Why.NOT_APART: 5}
    assert whys([replace(blind, step_missing=NotComputable(Reason.TOO_FEW_DIFFERENT_COUNTS))]) == {Why.FEW_COUNTS: ""}


@pytest.mark.slow
def test_study__of_a_step_that_never_doers_explain__found_something_and_says_no_jump() -> None:
    table = few_patterns(40_000, 1)
    said = study_planted(
        replace(table, week=np.arange(table.n) % 4),
        PlantedMoment("x", 2, 3, 0.3),
        table.retained,
        rng=np.random.default_rng(1),
    )

    assert said.not_apart
    assert (said.at_moment, said.any_jump, said.detection) == (False, False, None)
