"""Outbox to store: killed at every step, two at once, old ids dropped."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection, connections
from django.utils import timezone

from events.models import Flush, MessageId, OutboxEvent
from events.outbox import accept, flush, reconcile_after_restore
from events.store import event_table
from events.store.ownership import StoreRefused
from tests.events.conftest import stored_ids
from tests.postgres import address_of

ROOT = Path(__file__).resolve().parents[2]
DB = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def accept_some(*ids: str, user: str = "u", at: datetime | None = None) -> accept.Receipt:
    """Received now: on a fixed day they would be more than a week old one day, and their ids forgotten."""
    from events.models import Source

    source, _ = Source.objects.get_or_create(name="app")
    events = [{"type": "track", "userId": user, "event": "e", "messageId": name} for name in ids]
    return accept.accept_events(source_id=source.pk, key_kind="server", events=events, received_at=at or timezone.now())


def plain_ids() -> dict[str, int]:
    return {name.split(":", 2)[2]: count for name, count in stored_ids().items()}


@pytest.mark.slow
@DB
@pytest.mark.usefixtures("any_store")
def test_flush__of_what_was_accepted__moves_it_once_and_keeps_only_the_ids() -> None:
    first = accept_some("a", "b", "b")
    moved = flush.flush_events()
    again = accept_some("a", "c")

    assert (first.accepted, first.duplicates, moved) == (2, 1, 2)
    assert (again.accepted, again.duplicates) == (1, 1)
    assert (flush.flush_events(), flush.flush_events()) == (1, 0)
    assert plain_ids() == {"a": 1, "b": 1, "c": 1}
    assert not OutboxEvent.objects.exists()
    assert MessageId.objects.count() == 3
    assert flush.outbox_state() == flush.OutboxState(0, 0.0)


@pytest.mark.slow
@DB
@pytest.mark.usefixtures("any_store")
def test_flush__of_more_than_one_batch__moves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flush, "FLUSH_ROWS", 3)
    accept_some(*"abcdefgh")

    assert flush.flush_events() == 8
    assert plain_ids() == dict.fromkeys("abcdefgh", 1)
    assert list(Flush.objects.order_by("version").values_list("rows", flat=True)) == [3, 3, 2]


@pytest.mark.slow
@DB
@pytest.mark.usefixtures("any_store")
def test_flush__when_the_store_is_ahead_of_a_restored_database__waits_until_it_is_adopted() -> None:
    accept_some("a")
    flush.flush_events()
    writer = Flush.objects.get().writer
    event_table.append(event_table.SCHEMA.empty_table(), app_id=writer, version=9)

    accept_some("b")
    with pytest.raises(StoreRefused, match="doesn't know"):
        flush.flush_events()
    waiting = flush.outbox_state().rows
    reconcile_after_restore.adopt_store()
    flush.flush_events()

    assert waiting == 1
    assert plain_ids() == {"a": 1, "b": 1}


@pytest.mark.slow
@DB
@pytest.mark.usefixtures("any_store")
def test_flush__by_four_at_once__moves_each_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flush, "FLUSH_ROWS", 5)
    ids = [f"m{number}" for number in range(40)]
    accept_some(*ids)
    failures: list[BaseException] = []
    moved: list[int] = []

    def work() -> None:
        try:
            moved.append(flush.flush_events())
        except BaseException as failure:
            failures.append(failure)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert sum(moved) == 40
    assert plain_ids() == dict.fromkeys(ids, 1)
    assert not Flush.objects.filter(committed_at=None).exists()


KILLED = """
import os, signal, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "insight_site.settings"
import django; django.setup()
from events.outbox import flush
from events.store import event_table, place
def die(*a, **k): os.kill(os.getpid(), signal.SIGKILL)
def after(module, name):
    real = getattr(module, name)
    def wrapper(*a, **k):
        real(*a, **k); die()
    setattr(module, name, wrapper)
where, name = sys.argv[1].split(":")
module = {"append": event_table, "write_deltalake": event_table, "sync_commit": place}.get(name, flush)
setattr(module, name, die) if where == "before" else after(module, name)
flush.flush_events()
"""
STEPS = [
    f"{when}:{step}"
    for step in ("_take_rows", "_seal", "append", "write_deltalake", "sync_commit", "settle")
    for when in ("before", "after")
]


@DB
@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_flush__killed_at_a_step__loses_and_doubles_nothing(step: str, any_store: str) -> None:
    accept_some("a", "b", "c")
    database = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        if "mode=memory" in database:
            pytest.skip("another process needs a database on disk: run with a test database name")
        url = f"sqlite:///{database}"
    else:
        url = address_of(connection.settings_dict)
    environment = {**os.environ, "DATABASE_URL": url, "EVENTS_URL": any_store}

    done = subprocess.run(
        [sys.executable, "-c", KILLED, step],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    accept_some("d", "a")
    flush.flush_events()

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert plain_ids() == dict.fromkeys("abcd", 1)
    assert not OutboxEvent.objects.exists()


@pytest.mark.slow
@DB
@pytest.mark.usefixtures("any_store")
@pytest.mark.parametrize(("age", "dropped"), [(timedelta(days=7, minutes=1), 2), (timedelta(days=6, hours=23), 0)])
def test_message_ids__after_a_week__are_dropped_and_not_earlier(age: timedelta, dropped: int) -> None:
    accept_some("a", "b")
    flush.flush_events()
    for model, field in ((Flush, "committed_at"), (MessageId, "received_at")):
        model.objects.update(**{field: timezone.now() - age})
    accept_some("c")

    assert flush.drop_old_message_ids() == dropped
    assert accept_some("a").duplicates == (1 if dropped == 0 else 0)
    assert Flush.objects.count() == 1  # the last one stays: the numbering goes on from it


@pytest.mark.slow
@DB
@pytest.mark.usefixtures("event_store")
def test_flush__of_large_events__takes_fewer_rows_at_a_time_and_moves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flush, "FLUSH_CHARS", 7)  # each has "{}"
    accept_some(*"abcdefg")

    assert flush.flush_events() == 7
    assert plain_ids() == dict.fromkeys("abcdefg", 1)
    assert sorted(Flush.objects.values_list("rows", flat=True)) == [1, 3, 3]
