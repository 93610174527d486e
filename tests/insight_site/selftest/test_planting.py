"""Planting: outcomes whose truth is known, on users who stay as they are."""

from functools import cache

import numpy as np
import pytest

from aha.study.grid import CountTable
from events.simulation import WORLDS, simulate
from experiments.draw.many_units import read_units, unit_hashes
from insight_site.selftest.planted_effects import (
    Ground,
    NoMoment,
    Plant,
    PlantedMoment,
    choose_moment,
    counts_of,
    plant,
    reached,
    run_experiment,
    shared_cause,
)
from tests.aha.make import table_of, table_of_world

MOMENT = PlantedMoment("friend_add", 3, 7, 0.3)


@cache
def world() -> CountTable:
    return table_of_world(simulate(WORLDS["step"], 4_000, 1), (1, 3, 7))


@cache
def ground(effect: float = 0.1) -> Ground:
    trait = np.arange(world().n) % 2 == 0
    return Ground(world(), MOMENT, shared_cause(world(), MOMENT), trait, effect)


def test_moment__of_several_behaviours__is_reached_by_about_a_quarter() -> None:
    found = choose_moment(world(), world().behaviours)

    assert isinstance(found, PlantedMoment)
    assert found.times >= 2
    assert found.days == 7
    assert found.reach == reached(world(), found).mean()
    assert abs(found.reach - 0.25) < 0.05
    only = choose_moment(world(), world().behaviours, only="friend_add")
    assert isinstance(only, PlantedMoment)
    assert only.behaviour == "friend_add"


def test_moment__nobody_does_it_twice__is_none_and_names_the_nearest() -> None:
    table = table_of([[1]] * 50 + [[2]] + [[0]] * 49, [0, 1] * 50)

    assert choose_moment(table, ["x"]) == NoMoment(PlantedMoment("x", 2, 1, 0.01))
    assert choose_moment(table, []) == NoMoment(None)


def test_shared_cause__of_real_users__keeps_their_retention_and_goes_with_activity() -> None:
    cause = ground().shared_cause

    assert cause.mean() == pytest.approx(world().retained.mean(), abs=1e-3)
    assert np.corrcoef(cause, world().active_days)[0, 1] > 0.5


def test_threshold__raises_those_who_reach_it_by_the_effect_and_nobody_else() -> None:
    counts = counts_of(world(), MOMENT)
    gain = ground().chance(Plant.THRESHOLD, counts) - ground().shared_cause

    room = ground().shared_cause <= 0.9
    assert gain[room & (counts >= 3)] == pytest.approx(0.1)
    assert gain[counts < 3] == pytest.approx(0.0)
    assert ground().mean_gain() == pytest.approx(0.1, abs=0.005)


def test_smooth__rises_with_each_act_and_gives_doers_as_much_on_average() -> None:
    counts = counts_of(world(), MOMENT)
    whole = Ground(world(), MOMENT, np.full(world().n, 0.2), None, 0.1)
    levels = [whole.chance(Plant.SMOOTH, np.full(world().n, z))[0] for z in range(8)]

    assert np.diff(levels[:7]) == pytest.approx(levels[1] - levels[0])
    assert levels[7] == levels[6]
    gain = whole.chance(Plant.SMOOTH, counts) - 0.2
    assert gain[counts >= 3].mean() == pytest.approx(0.1)


def test_correlation_and_segment__have_no_effect_where_none_is_planted() -> None:
    counts, nobody = counts_of(world(), MOMENT), np.zeros(world().n, dtype=np.int64)
    trait = ground().trait
    assert trait is not None

    assert (ground().chance(Plant.CORRELATION, counts) == ground().chance(Plant.CORRELATION, nobody)).all()
    gain = ground().chance(Plant.SEGMENT, counts) - ground().shared_cause
    assert (gain[~trait] == 0).all()
    assert gain[trait & (counts >= 3)].mean() > 0.09
    did, retained = reached(world(), MOMENT), plant(ground(), Plant.CORRELATION, counts, np.random.default_rng(1))
    assert retained[did].mean() - retained[~did].mean() > 0.02  # and still they go together


def test_nothing__deals_the_real_retention_out_anew_within_each_week() -> None:
    dealt = plant(ground(), Plant.NOTHING, counts_of(world(), MOMENT), np.random.default_rng(2))

    strata = world().strata()
    assert (np.bincount(strata, dealt) == np.bincount(strata, world().retained)).all()
    assert (dealt != world().retained).mean() > 0.2


def test_experiment__arms_are_those_of_the_hash_and_only_who_follows_is_moved() -> None:
    units = read_units([str(unit) for unit in world().unit_ids])
    found = run_experiment(ground(), Plant.THRESHOLD, units, name="s", take_up=0.4, rng=np.random.default_rng(3))

    assert (found.nudged == (unit_hashes("s", units) < 0.5)).all()
    by_itself = reached(world(), MOMENT)
    assert (found.did[~found.nudged] == by_itself[~found.nudged]).all()
    moved = found.did & ~by_itself
    assert moved.sum() == found.moved
    share = moved.sum() / (found.nudged & ~by_itself).sum()
    assert share == pytest.approx(0.4, abs=0.05)
    assert found.true_effect == pytest.approx(0.1, abs=0.01)


def test_experiment__nothing_planted__nobody_is_moved() -> None:
    units = read_units([str(unit) for unit in world().unit_ids])
    found = run_experiment(ground(), Plant.NOTHING, units, name="s", take_up=0.4, rng=np.random.default_rng(3))

    assert (found.moved, found.true_effect) == (0, 0.0)
    assert (found.did == reached(world(), MOMENT)).all()
