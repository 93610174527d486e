"""Replay a world as HTTP calls, with robots, repeats, late events and wrong clocks."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from events.simulation.arrow_tables import events_table
from events.simulation.draws import Ints
from events.simulation.generate import Simulation
from events.simulation.people import DAY, SECOND, SIGNUP_DAYS, START
from events.simulation.worlds import DAYS

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
        for user, event, message, said, timestamp, sent_at in zip(*texts, *times, strict=True):
            yield {
                "type": "track",
                "userId": prefix + user,
                "event": event,
                "timestamp": timestamp,
                "sentAt": sent_at,
                "messageId": prefix + message,
                "properties": {} if said == EMPTY else json.loads(said),
            }
