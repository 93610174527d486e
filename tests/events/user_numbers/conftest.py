"""What the dictionary and the events of a test's store say."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from events.store import event_table
from tests.events.conftest import asked

MOMENT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def rows(users: list[str], name: str, time: datetime = MOMENT) -> pa.Table:
    """One event of each of these users; message ids begin with `name`."""
    stamp, count = pa.timestamp("us", tz="UTC"), len(users)
    return pa.table(
        {
            "user_id": users,
            "event": ["e"] * count,
            "time": pa.array([time] * count, stamp),
            "properties": ["{}"] * count,
            "message_id": [f"{name}-{place}" for place in range(count)],
            "received_at": pa.array([time] * count, stamp),
        }
    )


def numbers() -> dict[str, int]:
    """The dictionary, which must say one thing of each user and of each number."""
    files = event_table.snapshot().dictionary()
    found = asked("SELECT user_id, \"user\" FROM read_parquet($files) WHERE event = '$user'", files) if files else []
    known: dict[str, int] = dict(found)
    assert len(found) == len(known) == len(set(known.values()))
    return known


def in_events() -> set[tuple[str, int]]:
    """Each user of the events with the number that stands beside it."""
    found: list[tuple[Any, ...]] = asked(
        'SELECT DISTINCT user_id, "user" FROM read_parquet($files)',
        [path for _, path in event_table.snapshot().files()],
    )
    return set(found)
