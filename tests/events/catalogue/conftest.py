"""A small log that can be counted on fingers, in a store of its own."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.conf import settings as site
from django.core.cache import cache
from django.utils import timezone
from pytest_django import Settings

from events.catalogue import listing, refresh
from events.models import CatalogueSnapshot
from events.store import event_table

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
        seen = event_table.look("test")  # which may be a copy of `lister`
        assert event_table.append(table, app_id="test", version=1 + (seen.number if seen else 0))

    yield append
    listing._read.clear()


@pytest.fixture(scope="session")
def _lists(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, CatalogueSnapshot]]:
    """The stores and lists that this process has made, by their lines."""
    return tmp_path_factory.mktemp("lists"), {}


@pytest.fixture
def lister(
    db: None, write: Callable[[list[Line]], None], _lists: tuple[Path, dict[str, CatalogueSnapshot]]
) -> Callable[[list[Line]], None]:
    """Put lines into the store of this test and make its list: once in a process, then both are copied.

    The engine takes a third of a second to make a list, and a hundred tests begin with the same one.
    """
    folder, made = _lists

    def listed(lines: list[Line]) -> None:
        key = json.dumps(lines)
        if key not in made:
            write(lines)
            assert refresh.make_catalogue()
            made[key] = CatalogueSnapshot.objects.made().get()
            shutil.copytree(site.EVENTS_URL, folder / str(len(made)))
            return
        shutil.copytree(folder / str([*made].index(key) + 1), site.EVENTS_URL)
        row = made[key]
        CatalogueSnapshot.objects.create(
            made_at=timezone.now(), seconds=row.seconds, store_version=row.store_version, payload=row.payload
        )

    return listed
