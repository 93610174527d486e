"""Simulated worlds as unit tables, straight from the generator: what the feature question would find."""

import numpy as np
from numpy.typing import NDArray

from events.simulation import WORLDS, Simulation, simulate
from segments.search.features import UnitTable


def world_table(name: str, *, seed: int, last_day: int = 13, units: int = 20_000) -> tuple[UnitTable, Simulation]:
    """Counts on days 0 to `last_day` of a world's units, and the simulation with its truth."""
    world = WORLDS[name]
    simulation = simulate(world, seed=seed, units=units)
    inside = simulation.active_day <= last_day
    user, day = simulation.active_user[inside], simulation.active_day[inside]
    counts = np.zeros((simulation.units, len(world.behaviours)))
    np.add.at(counts, user, simulation.counts[inside])
    days = np.bincount(user, minlength=simulation.units).astype(float)
    last = np.zeros(simulation.units)
    np.maximum.at(last, user, day)
    names = tuple(behaviour.name for behaviour in world.behaviours)
    ids = np.array([f"u{number}" for number in range(simulation.units)], dtype=object)
    full = np.full(simulation.units, 40.0)
    return UnitTable(ids, names, counts, days, days, full, last_day - last), simulation


def small_table(counts: NDArray[np.float64], days: NDArray[np.float64] | None = None) -> UnitTable:
    """A table of given counts; five active days each unless said."""
    rows = len(counts)
    days = np.full(rows, 5.0) if days is None else days
    ids = np.array([f"u{number}" for number in range(rows)], dtype=object)
    names = tuple(f"b{number}" for number in range(counts.shape[1]))
    return UnitTable(ids, names, counts.astype(float), days, days, np.full(rows, 30.0), np.zeros(rows))
