"""How each source is doing, counted once at each flush; and the last events, without secrets."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from events.models import Arrivals, OutboxEvent, Rejected, Source
from events.outbox import freshness, store_health
from events.outbox.flush import flush_events
from events.outbox.freshness import Pulse, State
from events.store import event_table
from events.store import event_table as store_event_table
from tests.events.catalogue.conftest import Line, write  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("write")]
Write = Callable[[list[Line]], None]


def send(source: Source, *ages: timedelta, late: timedelta = timedelta(0), **fields: Any) -> None:
    for place, age in enumerate(ages):
        arrived = timezone.now() - age
        given = {"user_id": "user-0001", "event": "play", "properties": '{"mode": "solo"}', **fields}
        OutboxEvent.objects.create(
            message_id=f"{source.pk}:s:{age.total_seconds()}-{place}", time=arrived - late, received_at=arrived, **given
        )


def pulse_of(source: Source) -> Pulse:
    cache.clear()
    return next(pulse for pulse in freshness.pulses() if pulse.source == source)


def test_pulse__waiting_and_stored_events__count_once() -> None:
    shop, other = Source.objects.create(name="shop"), Source.objects.create(name="other")
    send(shop, timedelta(minutes=1), timedelta(hours=5), timedelta(days=3))
    before = pulse_of(shop)

    flush_events()
    after = pulse_of(shop)
    send(shop, timedelta(minutes=2), late=timedelta(days=1, seconds=1))
    send(shop, timedelta(minutes=3), late=timedelta(hours=23))

    assert (before.hour, before.day, before.week, before.late) == (1, 2, 3, 0)
    assert (after.hour, after.day, after.week, after.last) == (1, 2, 3, before.last)
    assert (pulse_of(shop).hour, pulse_of(shop).late) == (3, 1)
    assert (pulse_of(other).week, pulse_of(other).state) == (0, State.NEVER)


def test_pulse__flushed_twice__adds_to_the_same_ten_minutes() -> None:
    shop = Source.objects.create(name="shop")
    send(shop, timedelta(seconds=1))
    flush_events()
    send(shop, timedelta(seconds=2))
    flush_events()

    assert sum(Arrivals.objects.values_list("events", flat=True)) == 2
    assert Arrivals.objects.count() <= 2  # the clock may just have passed ten minutes
    Arrivals.objects.update(began=timezone.now() - freshness.KEPT - timedelta(seconds=1))
    freshness.drop_old_arrivals()
    assert not Arrivals.objects.exists()


@pytest.mark.parametrize(
    ("age", "state"), [(timedelta(hours=23, minutes=59), State.LIVE), (timedelta(hours=24, minutes=1), State.SILENT)]
)
def test_state__silent_after_a_day(age: timedelta, state: State) -> None:
    shop = Source.objects.create(name="shop")
    send(shop, age)

    assert pulse_of(shop).state is state


@pytest.mark.parametrize(("good", "state"), [(19, State.LIVE), (18, State.REFUSED)])
def test_state__over_a_twentieth_refused__is_told(good: int, state: State) -> None:
    shop = Source.objects.create(name="shop")
    send(shop, *[timedelta(minutes=1)] * good)
    Rejected.objects.create(source=shop, received_at=timezone.now(), code="bad_number", message="x", payload="{}")

    found = pulse_of(shop)

    assert (found.refused, found.reason, found.state) == (1, "bad_number", state)


def test_tail__waiting_and_stored__newest_first_without_ids_or_keys() -> None:
    shop, key = Source.objects.create(name="shop"), "sk_" + "a" * 43
    many = json.dumps({"key": key, "context": {"ip": "1"}, **{f"p{place}": "x" * 100 for place in range(9)}})
    send(shop, timedelta(minutes=5), event="old")
    flush_events()
    cache.clear()
    send(shop, timedelta(minutes=1), event="new", properties=many)

    newest, oldest = freshness.arrivals()

    assert [(row.event, row.waits, row.source, row.user) for row in (newest, oldest)] == [
        ("new", True, "shop", "us…0001"),
        ("old", False, "shop", "us…0001"),
    ]
    assert newest.properties[0] == ("key", "sk_…")
    assert all(len(value) <= freshness.PROPERTY_CHARS for _, value in newest.properties)
    assert (len(newest.properties), newest.more) == (freshness.PROPERTIES, 2)


def test_refusals__say_why_in_words_and_hide_keys() -> None:
    Rejected.objects.create(
        received_at=timezone.now(), code="missing_identity", message="x", payload='{"writeKey": "pk_' + "b" * 43 + '"}'
    )
    Rejected.objects.create(received_at=timezone.now(), code="of_a_later_version", message="why", payload="{}")

    later, found = freshness.refusals()

    assert (found.reason, found.payload) == ("userId or anonymousId is required", '{"writeKey": "pk_…"}')
    assert (later.reason, later.code) == ("why", "of_a_later_version")


def test_newest_files__of_no_store_and_of_one(write: Write) -> None:  # noqa: F811 - the fixture
    assert (event_table.version(), event_table.row_count(), event_table.latest_rows(5)) == ("", 0, [])

    write([("ann", "play", f"2026-03-0{day}T10:00", {}) for day in (1, 2, 3)])

    assert event_table.row_count() == 3
    assert [row["time"].day for row in event_table.latest_rows(2)] == [3, 2]


def test_health__of_a_site_without_a_worker__says_what_waits() -> None:
    shop = Source.objects.create(name="shop")
    send(shop, timedelta(seconds=store_health.SLOW_SECONDS + 30))

    waiting = store_health.store_health()
    flush_events()
    done = store_health.store_health()

    assert (waiting.waiting, waiting.is_slow, waiting.worker_alive, waiting.flushed_at) == (1, True, False, None)
    assert (done.waiting, done.is_slow, done.flushed, done.trouble) == (0, False, 1, "")
    assert done.flushed_at is not None
    assert done.flushed_at <= datetime.now(UTC)


def test_live__after_a_compaction_of_many_dates__still_shows_what_came_last() -> None:
    shop = Source.objects.create(name="shop")
    send(shop, *(timedelta(days=days, seconds=1) for days in range(30)))
    flush_events()
    send(shop, *(timedelta(days=days) for days in range(30)))
    flush_events()
    cache.clear()
    before = [row.received_at for row in freshness.arrivals(3)]

    done = store_event_table.compact()
    cache.clear()

    assert done["added"] >= 29
    assert [row.received_at for row in freshness.arrivals(3)][:2] == before[:2]
    assert len(before) == 3
