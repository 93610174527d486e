"""A store that holds the world `launch_step`: 560 days of 60 signups, or of as many as the module says."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest_django import Settings

from events.simulation.launch_worlds import LAUNCH_WORLDS, write_launch
from events.store import event_table


@pytest.fixture(scope="module")
def world_events(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    folder = tmp_path_factory.mktemp("world")
    _counts, paths = write_launch(LAUNCH_WORLDS["launch_step"], 1, getattr(request.module, "SIGNUPS", 60), folder)
    events = pq.read_table(paths["events.parquet"])
    ids = pa.array([f"m{place}" for place in range(len(events))])
    return events.append_column("message_id", ids).append_column("received_at", events["time"])


@pytest.fixture
def world_store(world_events: pa.Table, tmp_path: Path, settings: Settings) -> Any:
    settings.EVENTS_URL = str(tmp_path / "events")
    event_table.append(world_events, app_id="test", version=1)
    return settings
