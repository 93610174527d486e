"""Back-pressure: when the door refuses, and that it looks only once a second."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from events.models import Flush, OutboxEvent
from events.outbox import accept, pressure, store_health
from events.schema import EventRecord

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fresh(event_store: Any) -> Iterator[None]:
    pressure.forget()
    yield
    pressure.forget()


def wait(*ids: str) -> None:
    records = [EventRecord("u", "e", NOW, "{}", name) for name in ids]
    accept.add_to_outbox(records, prefix="1:s", received_at=NOW)


@pytest.mark.parametrize(("rows", "found"), [(0, None), (3, None), (4, pressure.FULL)])
def test_outbox__at_its_limit_and_beyond__refuses_only_beyond(rows: int, found: Any, settings: Any) -> None:
    settings.OUTBOX_ROWS = 3

    wait(*"abcd"[:rows])

    assert pressure.look() is found


def test_outbox__of_few_rows_far_apart__is_counted_before_it_refuses(settings: Any) -> None:
    settings.OUTBOX_ROWS = 3
    wait(*"abcdefgh")
    OutboxEvent.objects.filter(message_id__in=[f"1:s:{name}" for name in "bcdef"]).delete()

    assert pressure.look() is None


def test_outbox__of_rows_on_their_way_to_the_store__has_room(settings: Any) -> None:
    settings.OUTBOX_ROWS = 3
    wait(*"abcd")
    Flush.objects.create(version=1, writer="w", rows=1, ranges=[])

    assert pressure.look() is None


@pytest.mark.parametrize(("free", "found"), [(999_999_999, pressure.NO_ROOM), (1_000_000_000, None)])
def test_disk__with_less_room_than_asked_for__refuses(
    free: int, found: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DISK_FREE_MB = 1_000
    monkeypatch.setattr("events.outbox.pressure.shutil.disk_usage", lambda _: SimpleNamespace(free=free))

    assert pressure.look() is found


def test_disk__of_a_store_in_an_object_store__is_not_asked_for(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    settings.EVENTS_URL, settings.DISK_FREE_MB = "s3://bucket/events", 0

    assert pressure.look() is None


def test_pressure__seen_a_moment_ago__is_remembered_for_a_second(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("events.outbox.pressure.time.monotonic", lambda: clock[0])
    settings.OUTBOX_ROWS = 1
    wait(*"abc")
    assert pressure.pressure() is pressure.FULL
    OutboxEvent.objects.all().delete()

    clock[0] += 0.9
    remembered = pressure.pressure()
    shown = store_health.store_health().refuses
    clock[0] += 0.2

    assert remembered is pressure.FULL
    assert shown == "outbox_full"
    assert pressure.pressure() is None
    assert store_health.store_health().refuses == ""
