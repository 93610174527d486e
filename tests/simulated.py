"""A simulated experiment as a team would export it for its analyst."""

import numpy as np
import pyarrow as pa

from events.simulation import Simulation, users_table


def experiment_table(simulation: Simulation) -> pa.Table:
    """One row per exposed user.

    Columns: unit, variant, segment (the group's name), platform, channel, country, guild, reached (1 where the
    tested moment was reached, such as 3 friend_add on days 0..6, else 0), retained (1 when active on any of the days
    21..27, else 0).
    """
    users = users_table(simulation).select(["user_id", "arm", "group", "platform", "channel", "country", "guild"])
    table = users.rename_columns(["unit", "variant", "segment", *users.column_names[3:]])
    for name in ("reached", "retained"):
        table = table.append_column(name, pa.array(getattr(simulation, name).astype(np.int64)))
    return table.filter(pa.array(simulation.exposed))
