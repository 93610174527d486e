"""A store of a dozen events that one can count on fingers."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django import Settings

from aha.explore import answering
from events.outbox.rows import to_table
from events.store import event_table
from tests.aha.explore.small_logs import Rows, at

# Monday the 4th: a, b, e; Monday the 11th: c; Monday the 18th: d. The data end on the 20th at 10:00.
FINGERS: Rows = [
    ("a", "signup", at(4, 10)),
    ("a", "play", at(5, 11)),
    ("a", "shop", at(5, 12)),
    ("a", "play", at(11, 10, 30)),
    ("b", "signup", at(5, 10)),
    ("b", "play", at(12, 12)),
    ("c", "signup", at(11, 10)),
    ("c", "shop", at(12, 8)),
    ("c", "play", at(12, 9)),
    ("c", "play", at(19, 10)),
    ("d", "signup", at(18, 10)),
    ("d", "play", at(18, 11)),
    ("e", "signup", at(4, 12)),
    ("e", "play", at(19, 13)),
    ("e", "Experiment Viewed", at(5, 12, 30)),
    ("d", "play", at(20, 10)),
]


@pytest.fixture
def places(tmp_path: Path, settings: Settings) -> Path:
    """A store that isn't there yet, and a folder of its own for what Explore prepares."""
    settings.EVENTS_URL = str(tmp_path / "events")
    settings.EXPLORE_DIR = str(tmp_path / "explore")
    settings.TIME_ZONE = "UTC"
    return tmp_path


@pytest.fixture
def put(places: Path) -> Callable[..., None]:
    """`put(rows, version, properties="{}")`: one more batch of events in the store."""

    def put(rows: Rows, version: int = 1, properties: str = "{}") -> None:
        received = datetime(2024, 4, 1, tzinfo=UTC)
        table = to_table(
            [(user, event, time, properties, f"{version}-{n}", received) for n, (user, event, time) in enumerate(rows)]
        )
        assert event_table.append(table, app_id="test", version=version)

    return put


@pytest.fixture
def fingers(put: Callable[..., None]) -> None:
    put(FINGERS)


@pytest.fixture(autouse=True)
def _nothing_at_work() -> Iterator[None]:
    """No question of one test is at work in the next."""
    yield
    works = list(answering._at_work.values())
    answering._at_work.clear()
    for work in works:
        work.stop.now()
        if not work.future.cancel():
            work.future.exception()
