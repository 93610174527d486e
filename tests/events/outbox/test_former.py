"""What the release before left in its table, or still writes to it: moved once, and known."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from events.models import Flush, FormerOutboxEvent, OutboxEvent
from events.outbox import accept, flush, reconcile_after_restore
from events.store.ownership import known
from tests.events.test_flush import accept_some, plain_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("event_store")]


@pytest.fixture
def former() -> Callable[..., None]:
    accept_some("first")  # makes the source
    source = OutboxEvent.objects.get().message_id.split(":")[0]

    def write(*ids: str, batch: Flush | None = None) -> None:
        for name in ids:
            FormerOutboxEvent.objects.create(
                message_id=f"{source}:s:{name}",
                user_id="u",
                event="e",
                time=timezone.now(),
                properties="{}",
                received_at=timezone.now(),
                flush=batch,
            )

    return write


def test_events__that_wait_in_the_old_table__are_moved_once_and_known(former: Callable[..., None]) -> None:
    former("a", "b")

    waiting, moved = flush.outbox_state().rows, flush.flush_events()

    assert (waiting, moved, flush.flush_events()) == (3, 3, 0)
    assert plain_ids() == {"first": 1, "a": 1, "b": 1}
    assert (accept_some("a", "b", "c").accepted, flush.outbox_state().rows) == (1, 1)
    assert set(FormerOutboxEvent.objects.values_list("user_id", "properties")) == {("", "")}


@pytest.mark.parametrize("adopted", [False, True])
def test_batch__that_the_release_before_left_open__is_finished(adopted: bool, former: Callable[..., None]) -> None:
    batch = Flush.objects.create(version=known().last + 1, writer="w", rows=2)
    former("a", "b", batch=batch)

    if adopted:
        reconcile_after_restore.adopt_store()
    flush.flush_events()

    assert plain_ids() == {"first": 1, "a": 1, "b": 1}


def test_ids__of_the_old_table__are_dropped_when_they_are_old(former: Callable[..., None]) -> None:
    former("a", "b")
    flush.flush_events()
    Flush.objects.update(committed_at=timezone.now() - timedelta(days=8))

    assert accept.drop_old() == 2
    assert accept_some("a").accepted == 1


def test_old_door__of_an_id_that_todays_has_taken__keeps_nothing(former: Callable[..., None]) -> None:
    accept_some("a")

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_outboxevent (message_id, user_id, event, time, properties, received_at) "
            "SELECT message_id, user_id, event, time, properties, received_at FROM events_outbox WHERE true "
            "ON CONFLICT (message_id) DO NOTHING"
        )

    former("b")
    # SQLite has no digest and so no trigger: no two releases run on one file.
    assert FormerOutboxEvent.objects.count() == (1 if connection.vendor == "postgresql" else 3)
