"""One statement for a batch: every text arrives as it was, every id once, whoever sends it at the same time."""

import random
import threading
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections

from events.models import FormerOutboxEvent, OutboxEvent, Rejected, Source, UnitTraits
from events.outbox import accept
from events.schema import EventRecord

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NASTY = [
    'a"b',
    "a\\b",
    '\\"',
    "{a,b}",
    "NULL",
    "",
    " a ",
    "a\nb\tc\x1e\x1f\x7f\x85\u2028",
    "길드 😀",
    "%s %(x)s ? $1",
    "'; --",
    "\\N",
]


def record(number: int, text: str = "x", message_id: str | None = None) -> EventRecord:
    moment = NOW - timedelta(microseconds=number)
    return EventRecord(f"u{text}", f"e{text}", moment, f'{{"n":{number}}}{text}', message_id)


def event(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "u", "event": "e", "messageId": name, **fields}


@pytest.mark.django_db
def test_rows__with_every_kind_of_text__are_kept_as_they_are() -> None:
    records = [record(number, text, f"m{text}") for number, text in enumerate(NASTY)]

    new = accept.add_to_outbox(records, prefix="1:s", received_at=NOW, source=1)

    assert new == len(NASTY)
    kept = {
        row.message_id: (row.user_id, row.event, row.time, row.properties, row.received_at)
        for row in OutboxEvent.objects.all()
    }
    assert kept == {f"1:s:{row.message_id}": (*row[:4], NOW) for row in records}


@pytest.mark.django_db
def test_rows__that_repeat_an_id__are_kept_as_the_first_came() -> None:
    accept.add_to_outbox([record(1, "old", "a")], prefix="1:s", received_at=NOW)

    new = accept.add_to_outbox(
        [record(2, "b", "a"), record(3, "c", "b"), record(4, "d", "b"), record(5), record(6)],
        prefix="1:s",
        received_at=NOW,
    )

    assert new == 3
    assert Counter(OutboxEvent.objects.values_list("user_id", flat=True)) == {"uold": 1, "uc": 1, "ux": 2}


@pytest.mark.django_db
def test_rows__of_none__make_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert accept.add_to_outbox([], prefix="1:s", received_at=NOW) == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kept", "sent", "new"),
    [
        ("7:a", "a", 0),  # version 0.3 kept it
        ("7:a", "b", 1),
        ("17:a", "a", 1),  # another source's
        ("7:c:a", "c:a", 1),  # a client's of today, and a server's id that begins so
        ("7:s:a", "a", 0),
    ],
)
def test_id__beside_one_that_is_there__is_known_or_new(kept: str, sent: str, new: int) -> None:
    FormerOutboxEvent.objects.create(
        message_id=kept, user_id="u", event="e", time=NOW, properties="{}", received_at=NOW
    )

    assert accept.add_to_outbox([record(1, "x", sent)], prefix="7:s", received_at=NOW, source=7) == new


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_batch__posted_by_32_at_once_in_other_orders__keeps_each_event_once() -> None:
    source = Source.objects.create(name="app")
    ids = [uuid.uuid4().hex for _ in range(300)]
    receipts: list[accept.Receipt] = []
    failures: list[BaseException] = []
    ready = threading.Barrier(32)

    def work(seed: int) -> None:
        mine = [event(name) for name in ids]
        random.Random(seed).shuffle(mine)
        try:
            connection.ensure_connection()
            ready.wait(60)
            receipts.append(
                accept.accept_events(source_id=source.pk, key_kind="server", events=mine, received_at=NOW, plain=True)
            )
        except BaseException as failure:
            failures.append(failure)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert sum(receipt.accepted for receipt in receipts) == 300
    assert sum(receipt.duplicates for receipt in receipts) == 31 * 300
    names = Counter(name.split(":")[2] for name in OutboxEvent.objects.values_list("message_id", flat=True))
    assert names == dict.fromkeys(ids, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("last", [{"type": "identify", "traits": {"plan": "pro"}}, {"userId": ""}])
def test_batch__whose_second_step_fails__keeps_nothing(last: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source.objects.create(name="app")

    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(UnitTraits.objects, "bulk_create", away)
    monkeypatch.setattr(Rejected.objects, "bulk_create", away)
    with pytest.raises(ConnectionError):
        accept.accept_events(
            source_id=source.pk, key_kind="server", events=[event("a"), event("b", **last)], received_at=NOW
        )

    assert not OutboxEvent.objects.exists()
