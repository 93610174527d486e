"""Rows that no store can take don't hold up the others."""

import json
from typing import Any

import pytest
from django.db import OperationalError, connection

from events.models import Flush, OutboxEvent, Rejected
from events.outbox import dead_letters, flush, rows
from events.store import event_table
from tests.events.test_flush import accept_some, plain_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("any_store")]


def break_row(name: str, column: str = "user_id", value: str = "X'C328'") -> None:
    """Bytes that are no UTF-8, as only a hand in the database can write them."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE events_outbox SET {column} = CAST({value} AS TEXT) WHERE message_id LIKE %s", [f"%:{name}"]
        )


@pytest.mark.parametrize(("column", "value"), [("user_id", "X'C328'"), ("properties", "X'FF'"), ("time", "'noon'")])
@pytest.mark.once  # PostgreSQL refuses such bytes itself
def test_flush__with_a_row_that_no_one_can_read__moves_the_others(column: str, value: str) -> None:
    accept_some(*"abcdefgh")
    break_row("d", column, value)

    assert flush.flush_events() == 7
    assert plain_ids() == dict.fromkeys("abcefgh", 1)
    assert flush.outbox_state().rows == 0
    row = Rejected.objects.get()
    assert (row.code, row.message_id, row.source.name if row.source else "") == ("not_storable", "d", "app")
    assert row.message.startswith("the event can't be written to the event store (")
    assert json.loads(row.payload)["event"] == "e"
    assert Flush.objects.get().rows == 7


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "10000-01-01"])
def test_flush__with_a_moment_beyond_the_calendar__moves_the_others(moment: str) -> None:
    accept_some(*"abcd")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_outbox SET time = %s WHERE message_id LIKE %s", [moment, "%:c"])

    assert flush.flush_events() == 3
    assert plain_ids() == dict.fromkeys("abd", 1)
    assert [row.message_id for row in Rejected.objects.all()] == ["c"]


@pytest.mark.once  # PostgreSQL refuses such bytes itself
def test_flush__of_bad_rows_alone__goes_on_with_the_next() -> None:
    accept_some("a", "b")
    break_row("a")
    break_row("b")

    assert flush.flush_events() == 0
    accept_some("c")
    assert flush.flush_events() == 1
    assert plain_ids() == {"c": 1}
    assert Rejected.objects.count() == 2


@pytest.mark.once  # PostgreSQL refuses such bytes itself
def test_flush__with_an_unreadable_message_id__keeps_the_row_for_a_person() -> None:
    accept_some("a", "b")
    break_row("a", "message_id")

    assert flush.flush_events() == 1
    row = Rejected.objects.get()
    assert row.source is None
    assert json.loads(row.payload)["message_id"] == "\\xc3("


def test_flush__to_a_store_that_fails__makes_no_event_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    accept_some("a", "b")
    with monkeypatch.context() as patch:
        patch.setattr(event_table, "append", full)
        for _ in range(dead_letters.TRIES + 1):
            with pytest.raises(OSError, match="space"):
                flush.flush_events()

    assert Rejected.objects.count() == 0
    assert flush.flush_events() == 2


def test_flush__with_a_database_that_fails__makes_no_event_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("the database is away")

    accept_some("a", "b")
    with monkeypatch.context() as patch:
        patch.setattr(rows, "table_of_batch", away)
        patch.setattr(rows, "to_table", away)
        with pytest.raises(OperationalError):
            flush.flush_events()

    assert Rejected.objects.count() == 0
    assert flush.flush_events() == 2


def test_flush__that_failed_once_on_a_row__takes_it_when_it_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [True, True]

    def once(name: str) -> None:
        real = getattr(rows, name)

        def work(given: Any) -> Any:
            given = list(given) if name == "to_table" else given
            if given and failures:
                failures.pop()
                raise ValueError("for a moment")
            return real(given)

        monkeypatch.setattr(rows, name, work)

    accept_some("a")
    once("table_of_batch")
    once("to_table")

    with pytest.raises(ValueError, match="moment"):
        flush.flush_events()
    assert flush.flush_events() == 1
    assert Rejected.objects.count() == 0
    assert not OutboxEvent.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
def test_flush__with_a_line_separator_in_a_user_id__moves_all_in_one_call(
    separator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush, "FLUSH_ROWS", 2)
    accept_some("a", user=f"x{separator}y")
    accept_some(*"bcdef")

    assert flush.flush_events() == 6
    assert plain_ids() == dict.fromkeys("abcdef", 1)
    assert Rejected.objects.count() == 0
