"""A store of one test, and how to read it."""

from collections import Counter
from pathlib import Path

import duckdb
import pytest
from pytest_django import Settings

from events import store


@pytest.fixture
def event_store(tmp_path: Path, settings: Settings) -> Path:
    """The folder of an event store that doesn't exist yet."""
    settings.EVENTS_URL = str(tmp_path / "events")
    return tmp_path / "events"


def stored_ids() -> Counter[str]:
    """How often each message id lies in the store."""
    files = store.file_uris()
    if not files:
        return Counter()
    rows = duckdb.sql("SELECT message_id FROM read_parquet($files)", params={"files": files}).fetchall()
    return Counter(row[0] for row in rows)
