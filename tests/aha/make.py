"""Feature tables for tests: from a simulated world, or from a few hand-written counts."""

from collections.abc import Sequence

import numpy as np

from aha.study.grid import CountTable, build_table
from events.simulation import Simulation

# What a question about units needs of the answer of `aha.study.queries.units`.
UNIT_COLUMNS = ("user_id", "anchor", "anchor_date", "unit", "retained")
WEEK_US = 7 * 86_400 * 1_000_000


def table_of_world(simulation: Simulation, days: Sequence[int] = range(1, 8), *, by_group: bool = False) -> CountTable:
    """What the warehouse would answer for a world, straight from the simulation's arrays. Everybody is mature."""
    names = [behaviour.name for behaviour in simulation.world.behaviours]
    unit, behaviour = np.divmod(np.arange(simulation.units * len(names)), len(names))
    counts = np.zeros((simulation.units, len(names), len(days)), dtype=np.int64)
    for place, y in enumerate(days):
        early = simulation.active_day < y
        np.add.at(counts[:, :, place], simulation.active_user[early], simulation.counts[early])
    signup = simulation.people.signup
    groups = [str(group) for group in simulation.people.group] if by_group else None
    active = [simulation.active_user[simulation.active_day < y] for y in days]
    return build_table(
        behaviours=names,
        days=list(days),
        unit_ids=[f"u{number:07d}" for number in range(simulation.units)],
        retained=simulation.retained,
        week=(signup - signup.min()) // WEEK_US,
        active_days=np.column_stack([np.bincount(one, minlength=simulation.units) for one in active]),
        rows=(unit, np.asarray(names, dtype=object)[behaviour], counts.reshape(-1, len(days))),
        segment=groups,
    )


def table_of(counts: Sequence[Sequence[int]], retained: Sequence[int], days: Sequence[int] = (1,)) -> CountTable:
    """One behaviour "x": a row of counts per unit (one number per Y), all in one week and segment."""
    return build_table(
        behaviours=["x"],
        days=list(days),
        unit_ids=[f"u{number}" for number in range(len(retained))],
        retained=retained,
        week=np.zeros(len(retained)),
        active_days=np.ones((len(retained), len(days))),
        rows=(np.arange(len(retained)), np.array(["x"] * len(retained), dtype=object), counts),
    )
