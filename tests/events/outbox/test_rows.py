"""A batch holds the rows that its seal saw, whoever writes or settles meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import MessageId, OutboxEvent
from events.outbox import accept, flush, rows
from events.store import ownership
from events.store.ownership import rows_of
from tests.events.outbox.test_insert import NASTY, record
from tests.events.test_flush import accept_some, plain_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("event_store")]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def row(number: int) -> None:
    OutboxEvent.objects.create(
        id=number, message_id=f"1:s:m{number}", user_id="u", event="e", time=NOW, properties="{}", received_at=NOW
    )


def sealed() -> Any:
    batch, _ = flush._seal()
    assert batch is not None
    return batch


@pytest.mark.parametrize(("ids", "ranges"), [([], []), ([7], [[7, 7]]), ([1, 2, 3, 5, 8, 9], [[1, 3], [5, 5], [8, 9]])])
def test_ranges__of_ids__hold_these_and_no_others(ids: list[int], ranges: list[list[int]]) -> None:
    assert rows.ranges_of(np.array(ids, np.int64)) == ranges


def test_row__committed_after_the_seal_below_its_last_id__goes_with_the_next_batch() -> None:
    for number in (11, 13, 14):
        row(number)
    batch = sealed()
    row(12)

    table = flush.write_batch(batch)
    moved = flush.settle(batch, table)
    left = list(OutboxEvent.objects.values_list("id", flat=True))

    assert (moved, left) == (3, [12])
    assert flush.flush_events() == 1
    assert plain_ids() == {f"m{number}": 1 for number in (11, 12, 13, 14)}


def test_rows__far_apart__make_batches_that_every_database_can_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_RANGES", 3)
    for number in (11, 12, 14, 16, 18, 19, 21):
        row(number)

    batch = sealed()

    assert batch.ranges == [[11, 12], [14, 14], [16, 16]]
    assert flush.flush_events() == 7


def test_batch__as_columns__is_what_its_rows_say() -> None:
    records = [record(number, text, f"m{text}") for number, text in enumerate(NASTY)]
    accept.add_to_outbox(records, prefix="1:s", received_at=NOW)
    batch = sealed()
    accept.add_to_outbox([record(99, "later", "later")], prefix="1:s", received_at=NOW)

    table = rows.table_of_batch(batch)

    assert table.equals(rows.table_of(rows_of(batch)))
    assert table.num_rows == len(NASTY)
    table.validate(full=True)


def test_batch__settled_by_another_before_it_is_read__is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    accept_some("a", "b")
    batch, real = sealed(), rows.table_of_batch

    def late(given: Any) -> Any:
        monkeypatch.undo()
        flush.flush_events()
        return real(given)

    monkeypatch.setattr(rows, "table_of_batch", late)

    assert flush.settle(batch, flush.write_batch(batch)) == 0
    assert plain_ids() == {"a": 1, "b": 1}


def test_store__whose_batch_is_settled_while_it_is_looked_at__is_not_called_anothers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accept_some("a", "b")
    batch, real = sealed(), ownership.digest_of
    table = flush.write_batch(batch)

    def late(version: int) -> int:
        flush.settle(batch, table)
        return real(version)

    monkeypatch.setattr(ownership, "digest_of", late)

    assert ownership.check_to_write().last == batch.version


@pytest.mark.slow
def test_message_id__of_an_event_that_waits_too_long__is_still_known() -> None:
    accept_some("a")
    old = timezone.now() - timedelta(days=30)
    for model in (OutboxEvent, MessageId):
        model._default_manager.update(received_at=old)

    assert accept.drop_old() == 0
    assert accept_some("a").duplicates == 1
    flush.flush_events()
    assert accept.drop_old() == 1


def test_message_ids__none_of_which_is_old__are_looked_through_without_a_lock() -> None:
    accept_some("a")

    with CaptureQueriesContext(connection) as asked:
        assert accept.drop_old() == 0

    assert not [one["sql"] for one in asked.captured_queries if one["sql"].startswith("DELETE")]


def test_table__moments_with_and_without_a_fraction__are_those_of_the_rows() -> None:
    moments = [NOW, NOW + timedelta(microseconds=1), NOW + timedelta(milliseconds=250), NOW - timedelta(days=400)]
    for number, moment in enumerate(moments, start=1):
        OutboxEvent.objects.create(
            id=number, message_id=f"m{number}", user_id="u", event="e", time=moment, properties="{}", received_at=NOW
        )

    table = rows.table_of(OutboxEvent.objects.all())

    assert table.schema == rows.table_of(OutboxEvent.objects.none()).schema
    assert table["time"].to_pylist() == moments
    assert table["received_at"].to_pylist() == [NOW] * 4
