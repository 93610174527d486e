"""`many_tests`: twenty finished tests whose truth is known, and what pooling makes of them."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from pyarrow import csv

from events.simulation import Simulation
from events.simulation.many_tests import one_behaviour, rows_of, simulate_tests, truth_of_tests
from stats.instrument.pooled import Answer, Instrument, Pooled, pooled
from stats.iv_moments import iv_moments
from stats.summaries import Joint
from tests.stats.make import computed

DIRECT = ["many_tests_04", "many_tests_08", "many_tests_12", "many_tests_16", "many_tests_20"]


def test_many_tests__parameters__are_those_of_the_page() -> None:
    worlds = one_behaviour()

    assert [world.take_up for world in worlds] == pytest.approx([0.03 * number for number in range(1, 21)])
    assert [world.name for world in worlds if world.delta] == DIRECT
    assert {world.delta for world in worlds} == {0.0, 0.4}
    assert {world.units for world in worlds} == {3_000}


def test_many_tests__two_tests__share_no_user() -> None:
    first, second, *_ = simulate_tests(1, 300)

    assert not np.array_equal(first.people.engagement, second.people.engagement)


@pytest.mark.slow
def test_many_tests__truth__names_the_direct_effects_and_the_effect() -> None:
    simulations = simulate_tests(2, 1_500)
    found = truth_of_tests(simulations, 2)

    assert found["direct_tests"] == DIRECT
    assert found["effect"] == pytest.approx(0.13, abs=0.03)
    for test in found["tests"]:
        assert test["direct"] == (pytest.approx(0.036, abs=0.015) if test["test"] in DIRECT else 0.0)
    assert [test["first_stage"] for test in found["tests"]] == pytest.approx(
        [0.31 * 0.03 * number for number in range(1, 21)], abs=0.02
    )


@pytest.mark.slow
def test_simulate_command__many_tests__writes_a_file_for_each(tmp_path: Path) -> None:
    out = StringIO()

    call_command("simulate", tmp_path, world="many_tests", units=200, json=True, stdout=out, stderr=StringIO())

    document = json.loads(out.getvalue())
    assert (document["tests"], document["users"]) == (20, 4_000)
    assert len(document["files"]) == 21
    rows = csv.read_csv(tmp_path / "many_tests_07.csv")
    assert rows.column_names == ["unit", "variant", "retained", "reached"]
    assert rows == rows_of(simulate_tests(1, 200)[6])


def pool(simulations: list[Simulation]) -> Pooled:
    found = []
    for one in simulations:
        columns = np.column_stack([one.retained, one.reached]).astype(np.float64)
        control, nudge = (Joint.from_columns(columns[one.arm == arm]) for arm in (0, 1))
        found.append(Instrument(one.world.name, one.world.name, computed(iv_moments(control, nudge))))
    return computed(pooled(found))


@pytest.mark.slow
@pytest.mark.proof
def test_many_tests__seeds__disagreement_is_found_and_without_the_five_the_set_covers() -> None:
    disagree, covers = [], []
    for seed in range(1, 21):
        simulations = simulate_tests(seed)
        effect = truth_of_tests(simulations, seed)["effect"]
        disagree.append(pool(simulations).answer is Answer.NUDGES_DISAGREE)
        sound = pool([one for one in simulations if not one.world.delta])
        covers.append(sound.likelihood_ratio.contains(effect))

    assert sum(disagree) >= 16
    assert sum(covers) >= 18
