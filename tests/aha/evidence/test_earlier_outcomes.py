"""What was known at signup: a difference there is confounding, and none is found where there is none."""

from dataclasses import replace

import numpy as np
import pytest

from aha.evidence.daily_trials import UnitDays, trials_of
from aha.evidence.ladder import RungName, Units
from aha.evidence.sensitivity import earlier_outcomes, shows_confounding
from stats.results import computable

NAMES = ("platform=ios", "channel=ads", "channel=mail", "country=KR", "rare=yes")


def units(n: int = 3_000, hidden: float = 2.0) -> Units:
    """A hidden cause drives the behaviour and shows in the platform alone."""
    rng = np.random.default_rng(8)
    cause = rng.normal(size=n)
    platform = rng.random(n) < 1 / (1 + np.exp(-cause))
    channel, country, rare = rng.integers(0, 3, n), rng.random(n) < 0.4, rng.random(n) < 0.02
    before = np.column_stack([platform, channel == 1, channel == 2, country, rare]).astype(np.float64)
    did = rng.random(n) < 1 / (1 + np.exp(-hidden * cause))
    same = np.zeros(n, dtype=np.int64)
    return Units(rng.random(n) < 0.4, did, rng.integers(1, 4, n), same, same, before, np.zeros((n, 0)))


@pytest.mark.slow
def test_earlier__hidden_cause_that_shows_in_the_platform__is_found_there_alone() -> None:
    found = earlier_outcomes(units(), None, NAMES, seed=1)

    assert [row.rung for row in found] == [RungName.FULL] * 3
    assert [row.name for row in shows_confounding(found)] == ["platform=ios"]
    assert all(row.units == 3_000 for row in found)


@pytest.mark.slow
def test_earlier__behaviour_of_a_coin__shows_nothing() -> None:
    assert shows_confounding(earlier_outcomes(units(hidden=0.0), None, NAMES, seed=1)) == ()


@pytest.mark.slow
def test_earlier__three_of_four_properties__at_a_level_for_three() -> None:
    found = earlier_outcomes(units(), None, NAMES, seed=1)

    # One value of a property, none that is rare.
    assert {row.name.partition("=")[0] for row in found} == {"platform", "channel", "country"}
    levels = [row.difference.level for row in found if computable(row.difference)]
    assert levels == [1 - 0.05 / 3] * 3


def test_earlier__a_property_is_not_held_equal_with_itself() -> None:
    given = units()
    both = np.column_stack([given.before[:, :1], 1 - given.before[:, :1]])

    (found,) = earlier_outcomes(replace(given, before=both), None, ("platform=ios", "platform=android"), seed=1)

    assert shows_confounding((found,)) == (found,)


def test_earlier__nothing_known__is_empty() -> None:
    given = units(400)

    assert earlier_outcomes(replace(given, before=np.zeros((400, 0))), None, (), seed=1) == ()


@pytest.mark.slow
def test_earlier__daily_trials__compare_days() -> None:
    given = units(1_500)
    place, two = np.repeat(np.arange(1_500), 2), np.tile([0, 1], 1_500)
    rng = np.random.default_rng(9)
    counts = (rng.random(3_000) < np.where(given.did[place], 0.5, 0.2)).astype(np.int32)[:, None]
    rows = UnitDays(place, two, np.ones(3_000, dtype=np.bool_), counts)

    found = earlier_outcomes(given, trials_of(rows, 0, [], times=1, within=2), NAMES, seed=1)

    assert [row.rung for row in found] == [RungName.DAILY] * 3
    assert [row.name for row in shows_confounding(found)] == ["platform=ios"]
