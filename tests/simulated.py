"""A simulated experiment as a team would export it for its analyst."""

import numpy as np
import pyarrow as pa

from events.simulation import Simulation, users_table
from events.simulation.worlds import TARGET


def others_done(simulation: Simulation) -> dict[str, np.ndarray]:
    """Per behaviour beside the tested one, who did it as often in as many days; empty without another behaviour."""
    world = simulation.world
    if not world.other:
        return {}
    early = simulation.active_day < world.within
    user, counts = simulation.active_user[early], simulation.counts[early]
    often = {
        kind.name: np.bincount(user, weights=counts[:, place], minlength=simulation.units) >= world.times
        for place, kind in enumerate(world.behaviours)
    }
    return {name: done for name, done in often.items() if name != TARGET}


def experiment_table(simulation: Simulation) -> pa.Table:
    """One row per exposed user.

    Columns: unit, variant, segment (the group's name), platform, channel, country, guild, reached (1 where the
    tested moment was reached, such as 3 friend_add on days 0..6, else 0), retained (1 when active on any of the days
    21..27, else 0); in a world with another behaviour, one column of 0 and 1 for each behaviour beside the tested one.
    """
    users = users_table(simulation).select(["user_id", "arm", "group", "platform", "channel", "country", "guild"])
    table = users.rename_columns(["unit", "variant", "segment", *users.column_names[3:]])
    for name in ("reached", "retained"):
        table = table.append_column(name, pa.array(getattr(simulation, name).astype(np.int64)))
    for name, did in others_done(simulation).items():
        table = table.append_column(name, pa.array(did.astype(np.int64)))
    return table.filter(pa.array(simulation.exposed))
