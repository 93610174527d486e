"""A store that holds the first half of the world `growth_steady`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pytest_django import Settings

from events.simulation.growth_worlds import FIRST, GROWTH_WORLDS
from events.store import event_table

WEEKS, SIGNUPS = 60, 3


@pytest.fixture(scope="session")
def visits() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """User and day of each visit."""
    return GROWTH_WORLDS["growth_steady"].visits(1, SIGNUPS, WEEKS)


@pytest.fixture
def copies() -> int:
    """How many users do what each of them does."""
    return 1


@pytest.fixture
def growth_store(visits: Any, copies: int, tmp_path: Path, settings: Settings) -> Settings:
    """Each visit at noon, and one event of the day after the last."""
    settings.EVENTS_URL = str(tmp_path / "events")
    user, day = visits
    user = np.concatenate([user + copy * 10_000 for copy in range(copies)])
    user, day = np.append(user, 0), np.append(np.tile(day, copies), 7 * WEEKS)
    start = int(datetime(FIRST.year, FIRST.month, FIRST.day, 12, tzinfo=UTC).timestamp())
    times = pa.array((start + day * 86_400) * 1_000_000, pa.timestamp("us", tz="UTC"))
    events = pa.table(
        {
            "user_id": pa.array([f"user-{number}" for number in user]),
            "event": pa.array(["visit"] * user.size),
            "time": times,
            "properties": pa.array(["{}"] * user.size),
            "message_id": pa.array([f"m{place}" for place in range(user.size)]),
            "received_at": times,
        }
    )
    event_table.append(events, app_id="test", version=1)
    return settings
