"""Simulated worlds as the units of a candidate: the joining that a study's queries do, in NumPy."""

import numpy as np

from aha.evidence.ladder import Units, dummies
from events.simulation import Simulation
from events.simulation.people import DAY, START

LANDMARK = 7


def early_counts(simulation: Simulation) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Units x behaviours: how often each was done on days 0..6."""
    early = simulation.active_day < LANDMARK
    table = np.zeros((simulation.units, simulation.counts.shape[1]), dtype=np.int64)
    np.add.at(table, simulation.active_user[early], simulation.counts[early])
    return table


def candidate(simulation: Simulation, behaviour: str, times: int) -> Units:
    """The units of "behaviour at least `times` times on days 0..6", with everything else that was measured."""
    people = simulation.people
    names = [each.name for each in simulation.world.behaviours]
    counts, column = early_counts(simulation), names.index(behaviour)
    early = simulation.active_day < LANDMARK
    traits = (people.platform, people.channel, people.country)
    return Units(
        retained=simulation.retained,
        did=counts[:, column] >= times,
        active_days=np.bincount(simulation.active_user[early], minlength=simulation.units),
        week=(people.signup - START) // (7 * DAY),
        segment=np.zeros(simulation.units, dtype=np.int64),
        before=np.column_stack([dummies(trait) for trait in traits]),
        others=np.delete(counts, column, axis=1).astype(np.float64),
    )
