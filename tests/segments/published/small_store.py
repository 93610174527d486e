"""A store of the events that a test writes down, and what Python counts of them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from events.store import event_table
from segments.rules import RecentCount

Event = tuple[str, str, datetime, dict[str, Any]]


def append(events: Sequence[Event], version: int = 1) -> None:
    """One more batch of events in the store of the settings."""
    times = pa.array([at for _, _, at, _ in events], pa.timestamp("us", tz="UTC"))
    table = {"user_id": [row[0] for row in events], "event": [row[1] for row in events], "time": times}
    table |= {"properties": [json.dumps(row[3]) for row in events]}
    table |= {"message_id": [f"{version}-{place}" for place in range(len(events))], "received_at": times}
    event_table.append(pa.table(table), app_id="test", version=version)


def counted(events: Sequence[Event], wanted: RecentCount, zone: str) -> dict[str, int]:
    """The number of each user who has signed up, event by event."""
    started = {user: min(at for who, name, at, _ in events if (who, name) == (user, "signup")) for user, *_ in events}
    newest = max(at for *_, at, _ in events).astimezone(ZoneInfo(zone)).date()
    after = newest - timedelta(days=wanted.days.before)
    found: dict[str, list[Any]] = {user: [] for user in started}
    for user, name, at, said in events:
        day = at.astimezone(ZoneInfo(zone)).date()
        if not after - timedelta(days=wanted.days.days) <= day < after or at < started[user]:
            continue
        what = wanted.behaviour
        if what is None and name != "Experiment Viewed":
            found[user].append(day)
        elif (
            what is not None and name == what.event and (what.where is None or said.get(what.where[0]) == what.where[1])
        ):
            found[user].append(at if what.distinct is None else said.get(what.distinct))
    return {user: len({each for each in some if each is not None}) for user, some in found.items()}


def at(day: float, hour: float = 0) -> datetime:
    """A moment of UTC, in days since the first of January 2026."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day, hours=hour)
