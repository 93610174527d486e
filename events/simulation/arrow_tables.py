"""A simulation as Arrow tables and as the three files of the `simulate` command."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from events.simulation.draws import Ints
from events.simulation.generate import Simulation
from events.simulation.log import EXPOSURE_CODE, SIGNUP_CODE, event_names
from events.simulation.people import CHANNELS, COUNTRIES, PLATFORMS
from events.simulation.truth import truth, unit_ids
from events.simulation.worlds import GROUP_NAMES

EXPERIMENT_KEY = "aha-nudge"
FILES = ("events.parquet", "users.parquet", "truth.json")
UTC = pa.timestamp("us", tz="UTC")


def _labels(names: tuple[str, ...], index: Ints) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(index))


def _guilds(index: Ints) -> pa.Array:
    return _labels(tuple(f"guild-{number:05d}" for number in range(1, int(index.max()) + 2)), index)


def _arms(simulation: Simulation) -> pa.Array:
    """The arm's name per user, null outside the experiment."""
    index = pa.array(simulation.arm, mask=simulation.arm < 0)
    return pa.array(simulation.world.arms, pa.string()).take(index)


def _traits(simulation: Simulation) -> dict[str, pa.Array]:
    people = simulation.people
    return {
        "platform": _labels(PLATFORMS, people.platform),
        "channel": _labels(CHANNELS, people.channel),
        "country": _labels(COUNTRIES, people.country),
        "guild": _guilds(people.guild),
    }


def users_table(simulation: Simulation) -> pa.Table:
    """One row per user: user_id, signup (UTC), platform, channel, country, guild, arm (null outside), group."""
    return pa.table(
        {
            "user_id": pa.array(unit_ids(simulation.units)),
            "signup": pa.array(simulation.people.signup).cast(UTC),
            **_traits(simulation),
            "arm": _arms(simulation),
            "group": _labels(GROUP_NAMES, simulation.people.group),
        }
    )


def _event_properties(simulation: Simulation) -> pa.Array:
    """JSON text per event: the traits at signup, experiment and variation at exposure, {} otherwise."""
    log, arms = simulation.log, simulation.world.arms
    traits = pa.table(_traits(simulation)).to_pylist()
    exposures = [
        json.dumps({"experiment_id": EXPERIMENT_KEY, "variation_id": name}, separators=(",", ":")) for name in arms
    ]
    texts = ["{}", *exposures, *(json.dumps(row, separators=(",", ":")) for row in traits)]
    index = np.zeros(log.user.size, dtype=np.int64)
    exposure, signup = log.code == EXPOSURE_CODE, log.code == SIGNUP_CODE
    index[exposure] = 1 + simulation.arm[log.user[exposure]]
    index[signup] = 1 + len(arms) + log.user[signup]
    return _labels(tuple(texts), index)


def events_table(simulation: Simulation) -> pa.Table:
    """The clean log by user, then time: user_id, event, time (UTC), properties (JSON text), message_id."""
    log = simulation.log
    user_id = _labels(tuple(unit_ids(simulation.units)), log.user)
    number = pc.utf8_lpad(pa.array(log.number).cast(pa.string()), 5, "0")
    return pa.table(
        {
            "user_id": user_id,
            "event": _labels(event_names(simulation.world), log.code),
            "time": pa.array(log.time).cast(UTC),
            "properties": _event_properties(simulation),
            "message_id": pc.binary_join_element_wise(user_id, number, "-"),
        }
    )


def write_files(simulation: Simulation, folder: Path) -> dict[str, Path]:
    """Write events.parquet, users.parquet and truth.json into the folder, which is made if needed.

    Each file is first written under another name and then renamed, so that no reader finds a half-written file. The
    same simulation gives the same bytes with the same version of pyarrow.

    Raises:
        OSError: the folder can't be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / name for name in FILES}
    with tempfile.TemporaryDirectory(dir=folder, prefix=".simulate-") as work:
        for name, table in (("events.parquet", events_table(simulation)), ("users.parquet", users_table(simulation))):
            pq.write_table(table, Path(work) / name, compression="zstd", version="2.6")
        text = json.dumps(truth(simulation), indent=1, sort_keys=True, allow_nan=False)
        (Path(work) / "truth.json").write_text(text + "\n", encoding="utf-8")
        for name, path in paths.items():
            os.replace(Path(work) / name, path)
    return paths
