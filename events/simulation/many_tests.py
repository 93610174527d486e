"""`many_tests`: twenty finished experiments of one behaviour, as files of rows; five nudges have a direct effect."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from events.simulation.generate import Json, Simulation, check_request, simulate, unit_ids
from events.simulation.worlds import RETENTION, TARGET, WORLDS, World

MANY_TESTS = "many_tests"
TESTS, USERS_OF_A_TEST = 20, 3_000
# Take-up grows by three points from test to test; every fourth nudge directly retains about four points of users.
STEP_OF_TAKE_UP, DIRECT_DELTA, EVERY = 0.03, 0.4, 4
SEEDS_APART = 1_000


def one_behaviour() -> tuple[World, ...]:
    """The worlds of the tests, weakest nudge first: `step` with another take-up, and a direct effect in five."""
    return tuple(
        replace(
            WORLDS["step"],
            name=f"{MANY_TESTS}_{number:02d}",
            take_up=round(STEP_OF_TAKE_UP * number, 2),
            delta=DIRECT_DELTA if number % EVERY == 0 else 0.0,
            units=USERS_OF_A_TEST,
        )
        for number in range(1, TESTS + 1)
    )


def simulate_tests(seed: int, units: int = USERS_OF_A_TEST) -> list[Simulation]:
    """Simulate all tests; no two share a user.

    Args:
        seed: 0 to 2**53; each test has one of its own made from it.
        units: users of each test.

    Raises:
        ValueError: units or seed out of range.
    """
    worlds = one_behaviour()
    check_request(units, SEEDS_APART * seed + len(worlds))
    return [simulate(world, units, SEEDS_APART * seed + number) for number, world in enumerate(worlds, start=1)]


def rows_of(simulation: Simulation) -> pa.Table:
    """One row per user, as a tool elsewhere would export a finished test: unit, variant, retained, reached."""
    arms = pa.array(simulation.world.arms, pa.string()).take(pa.array(simulation.arm))
    retained, reached = (pa.array(flags.astype(np.int64)) for flags in (simulation.retained, simulation.reached))
    return pa.table(
        {"unit": pa.array(unit_ids(simulation.units)), "variant": arms, "retained": retained, "reached": reached}
    )


def truth_of_tests(simulations: Sequence[Simulation], seed: int) -> Json:
    """The truth: the effect of the behaviour on all tests' compliers, and which nudges have a direct effect.

    ``effect`` is the average over compliers of retention under do(AHA) minus do(no AHA); ``direct`` of a test is what
    its nudge does to the users whose behaviour it doesn't move.
    """
    world = simulations[0].world
    moved = [simulation.compliance == 1 for simulation in simulations]
    gains = [
        (simulation.retained_with_moment.astype(np.float64) - simulation.retained_without)[members]
        for simulation, members in zip(simulations, moved, strict=True)
    ]
    return {
        "world": MANY_TESTS,
        "seed": seed,
        "tested": {"behaviour": TARGET, "times": world.times, "days": world.within},
        "retention": RETENTION,
        "effect": float(np.concatenate(gains).mean()),
        "direct_tests": [simulation.world.name for simulation in simulations if simulation.world.delta],
        "tests": [_truth_of(simulation) for simulation in simulations],
    }


def _truth_of(simulation: Simulation) -> Json:
    retained = simulation.retained_by_arm.astype(np.float64)
    still = simulation.compliance != 1
    return {
        "test": simulation.world.name,
        "seed": simulation.seed,
        "units": simulation.units,
        "take_up": simulation.world.take_up,
        "itt": float((retained[1] - retained[0]).mean()),
        "first_stage": float((simulation.compliance == 1).mean()),
        "direct": float((retained[1] - retained[0])[still].mean()),
        "parameters": asdict(simulation.world),
        "parameters_hash": simulation.world.parameter_hash,
    }


def write_tests(simulations: Sequence[Simulation], seed: int, folder: Path) -> dict[str, Path]:
    """Write one CSV file per test, named after it, and truth.json.

    Raises:
        OSError: the folder can't be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for simulation in simulations:
        name = f"{simulation.world.name}.csv"
        paths[name] = folder / name
        pc.write_csv(rows_of(simulation), paths[name])
    paths["truth.json"] = folder / "truth.json"
    text = json.dumps(truth_of_tests(simulations, seed), indent=1, sort_keys=True, allow_nan=False)
    paths["truth.json"].write_text(text + "\n", encoding="utf-8")
    return paths
