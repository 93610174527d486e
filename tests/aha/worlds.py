"""Simulated worlds as the units of a candidate: the joining that a study's queries do, in NumPy."""

import numpy as np

from aha.evidence.daily_trials import Trials, UnitDays, trials_of
from aha.evidence.ladder import Units
from aha.evidence.nuisance import dummies
from events.simulation import Simulation
from events.simulation.people import DAY, START

LANDMARK = 7


def early_counts(simulation: Simulation, within: int = LANDMARK) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Units x behaviours: how often each was done on days 0..`within` - 1."""
    early = simulation.active_day < within
    table = np.zeros((simulation.units, simulation.counts.shape[1]), dtype=np.int64)
    np.add.at(table, simulation.active_user[early], simulation.counts[early])
    return table


def days_of(simulation: Simulation, within: int = LANDMARK) -> UnitDays:
    """What every unit of a world did day by day."""
    rows = np.flatnonzero(simulation.active_day < within)
    rows = rows[np.lexsort((simulation.active_day[rows], simulation.active_user[rows]))]
    active = np.ones(rows.size, dtype=np.bool_)
    counts = simulation.counts[rows].astype(np.int32)
    return UnitDays(simulation.active_user[rows], simulation.active_day[rows], active, counts)


def trials(simulation: Simulation, behaviour: str, times: int, within: int = LANDMARK) -> Trials:
    """The daily trials of the same cell."""
    names = [each.name for each in simulation.world.behaviours]
    place = names.index(behaviour)
    others = [other for other in range(len(names)) if other != place]
    return trials_of(days_of(simulation, within), place, others, times=times, within=within)


def candidate(simulation: Simulation, behaviour: str, times: int, within: int = LANDMARK) -> Units:
    """The units of "behaviour at least `times` times within so many days", with everything else that was measured."""
    people = simulation.people
    names = [each.name for each in simulation.world.behaviours]
    counts, column = early_counts(simulation, within), names.index(behaviour)
    early = simulation.active_day < within
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
