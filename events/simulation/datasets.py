"""A simulation as Arrow tables, as the files of the `simulate` command, and as it would arrive over HTTP."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from events.simulation.generate import EXPOSURE_CODE, SIGNUP_CODE, Simulation, event_names, truth, unit_ids
from events.simulation.people import CHANNELS, COUNTRIES, DAY, PLATFORMS, SECOND, SIGNUP_DAYS, START, Ints
from events.simulation.worlds import DAYS, GROUP_NAMES

# A simulation as Arrow tables and as the three files of the `simulate` command.

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


# Replay a world as HTTP calls, with robots, repeats, late events and wrong clocks.

ROBOT_SHARE = 0.002
ROBOT_EVENTS_A_DAY = 500
DUPLICATE_SHARE = 0.005
LATE_SHARE, LATE_DAYS = 0.01, 3
WRONG_CLOCK_SHARE, WRONG_CLOCK_DAYS = 0.001, 30
NORMAL_DELAY = SECOND
BLOCK = 10_000
EMPTY = "{}"  # the properties of most events


def _stamps(microseconds: Ints) -> list[str]:
    """Moments as ISO 8601 in UTC, vectorised: one by one they would take longer than everything else here."""
    # Whole milliseconds, so the division loses nothing that the text shows.
    moments = (microseconds // 1000).astype("datetime64[ms]")
    texts: list[str] = np.datetime_as_string(moments, unit="ms", timezone="UTC").tolist()
    return texts


def _robots(simulation: Simulation, rng: np.random.Generator, days: int) -> tuple[pa.Table, Ints]:
    """Robot events, 500 on each day of each robot, and their times."""
    robots = round(simulation.units * ROBOT_SHARE)
    signup = START + rng.integers(0, SIGNUP_DAYS * DAY // 1000, size=robots) * 1000
    robot = np.repeat(np.arange(robots), days * ROBOT_EVENTS_A_DAY)
    day = np.tile(np.repeat(np.arange(days), ROBOT_EVENTS_A_DAY), robots)
    behaviour = rng.integers(0, len(simulation.world.behaviours), size=robot.size)
    time = signup[robot] + day * DAY + rng.integers(0, DAY // 1000, size=robot.size) * 1000
    ids = pa.array([f"robot-{number:05d}" for number in range(1, robots + 1)], pa.string())
    names = pa.array([kind.name for kind in simulation.world.behaviours])
    number = pc.utf8_lpad(pa.array(np.arange(robot.size)).cast(pa.string()), 9, "0")
    user_id = ids.take(pa.array(robot))
    columns = {
        "user_id": user_id,
        "event": names.take(pa.array(behaviour)),
        "properties": pa.array([EMPTY]).take(pa.array(np.zeros(robot.size, dtype=np.int64))),
        "message_id": pc.binary_join_element_wise(user_id, number, "-"),
    }
    return pa.table(columns), time


def replay(
    simulation: Simulation, seed: int, *, robot_days: int = DAYS, prefix: str = "", shift: int = 0
) -> Iterator[dict[str, Any]]:
    """The world's events as Segment `track` calls, in the order in which they would be sent.

    ``timestamp`` is the client's clock; ``sentAt`` is when the call leaves. Users' events keep the message ids of the
    clean log, so a store that drops repeats holds the clean log, the robots and the wrong times.

    * robots: 0.2 % as many as users, ids robot-00001, ..., with 500 events a day for ``robot_days`` days;
    * duplicates: 0.5 % of the users' events are sent twice, the second time up to an hour later;
    * late events: 1 % are sent up to 3 days after they happened, all others after one second;
    * wrong clocks: 0.1 % carry a ``timestamp`` that is up to 30 days too early or too late.

    Args:
        simulation: the world.
        seed: of the disturbances; the world itself has its own.
        robot_days: how many days each robot stays.
        prefix: put before every user and message id, so that two worlds can share a log.
        shift: microseconds added to every time; the world itself begins on 5 January 2026.
    """
    rng = np.random.default_rng(seed)
    clean, time = simulation.log.time.size, simulation.log.time
    delay = np.full(clean, NORMAL_DELAY)
    late = rng.random(clean) < LATE_SHARE
    delay[late] = rng.integers(NORMAL_DELAY, LATE_DAYS * DAY, size=late.sum())
    wrong = rng.random(clean) < WRONG_CLOCK_SHARE
    wrong_by = np.zeros(clean, dtype=np.int64)
    sign = rng.choice(np.array([-1, 1]), size=wrong.sum())
    wrong_by[wrong] = sign * rng.integers(3600 * 1000, WRONG_CLOCK_DAYS * DAY // 1000, size=wrong.sum()) * 1000
    again = np.flatnonzero(rng.random(clean) < DUPLICATE_SHARE)
    resent = delay[again] + rng.integers(SECOND, 3600 * SECOND, size=again.size)
    robots, robot_time = _robots(simulation, rng, robot_days)

    table = pa.concat_tables([events_table(simulation).drop_columns("time"), robots])
    source = np.concatenate([np.arange(clean), again, clean + np.arange(robot_time.size)])
    sent = shift + np.concatenate([time + delay, time[again] + resent, robot_time + NORMAL_DELAY])
    happened = shift + np.concatenate([time + wrong_by, robot_time])
    order = np.argsort(sent, kind="stable")
    for begin in range(0, order.size, BLOCK):
        positions = order[begin : begin + BLOCK]
        rows = table.take(pa.array(source[positions]))
        texts = [rows[name].to_pylist() for name in ("user_id", "event", "message_id", "properties")]
        times = _stamps(happened[source[positions]]), _stamps(sent[positions])
        for user, event, message, properties, timestamp, sent_at in zip(*texts, *times, strict=True):
            yield {
                "type": "track",
                "userId": prefix + user,
                "event": event,
                "timestamp": timestamp,
                "sentAt": sent_at,
                "messageId": prefix + message,
                "properties": {} if properties == EMPTY else json.loads(properties),
            }
