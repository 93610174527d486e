"""A small log that can be counted on fingers, in a store of its own."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.core.cache import cache
from pytest_django import Settings

from events import store
from events.catalogue import listing

type Line = tuple[str, str, str, dict[str, Any] | str]
LOG: list[Line] = [
    ("ann", "signup", "2026-03-02T10:00", {"platform": "ios", "age": 31, "vip": True}),
    ("ann", "play", "2026-03-02T11:00", {"mode": "solo", "score": 10}),
    ("ann", "play", "2026-03-09T11:00", {"mode": "pvp", "score": 25.5, "items": [1, 2]}),
    ("bob", "play", "2026-03-01T09:00", {"mode": "solo", "odd*name": "x"}),  # before the signup
    ("bob", "signup", "2026-03-03T09:00", {"platform": "android", "age": "n/a"}),
    ("cat", "signup", "2026-03-10T00:00", {"platform": "ios"}),
    ("cat", "Experiment Viewed", "2026-03-10T00:01", {"experiment_id": "e", "variation_id": "a"}),
    ("dan", "play", "2026-03-11T00:00", "no JSON"),  # never signed up
]


@pytest.fixture
def write(tmp_path: Path, settings: Settings) -> Iterator[Callable[[list[Line]], None]]:
    """Put lines of (user, event, time, properties) into a store of this test."""
    settings.EVENTS_URL = str(tmp_path / "events")
    listing._read.clear()
    cache.clear()
    batches = iter(range(1, 100))

    def append(lines: list[Line]) -> None:
        stamp = pa.timestamp("us", tz="UTC")
        times = pa.array([datetime.fromisoformat(line[2]).replace(tzinfo=UTC) for line in lines], stamp)
        texts = [line[3] if isinstance(line[3], str) else json.dumps(line[3]) for line in lines]
        table = pa.table(
            {
                "user_id": [line[0] for line in lines],
                "event": [line[1] for line in lines],
                "time": times,
                "properties": texts,
                "message_id": [f"m{place}" for place in range(len(lines))],
                "received_at": times,
            }
        )
        store.append(table, app_id="test", version=next(batches))

    yield append
    listing._read.clear()
