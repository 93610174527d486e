"""Matrices of simulated worlds, counted straight from their days: no warehouse between truth and test."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from events.simulation import WORLDS, simulate


@dataclass(frozen=True, eq=False)
class WorldMatrix:
    """Counts and active days on days 0 to `days` - 1 of every user, retention and group."""

    names: tuple[str, ...]
    counts: np.ndarray
    active_days: np.ndarray
    retained: np.ndarray
    group: np.ndarray


@cache
def world_matrix(name: str, units: int, seed: int, days: int) -> WorldMatrix:
    world = simulate(WORLDS[name], units, seed)
    inside = world.active_day < days
    users = world.active_user[inside]
    counts = np.zeros((units, world.counts.shape[1]), dtype=np.int64)
    np.add.at(counts, users, world.counts[inside])
    active = np.bincount(users, minlength=units)
    names = tuple(behaviour.name for behaviour in world.world.behaviours)
    return WorldMatrix(names, counts, active, world.retained, np.asarray(world.people.group))
