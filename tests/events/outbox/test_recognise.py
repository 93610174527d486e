"""A database that is older than its store: adopting the store neither doubles what it has nor loses what it hasn't."""

from datetime import timedelta
from typing import Any

import pytest
from django.forms.models import model_to_dict
from django.utils import timezone

from events.models import Flush, FormerOutboxEvent, MessageId, OutboxEvent
from events.outbox import flush, reconcile_after_restore
from events.outbox.accept import accept_events
from events.store.ownership import StoreRefused, Trouble
from tests.events.conftest import stored_ids
from tests.events.test_flush import accept_some, plain_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("event_store")]


class Backup:
    """The rows about events as they are now, put back on demand."""

    models: tuple[Any, ...] = (Flush, OutboxEvent, MessageId, FormerOutboxEvent)

    def __init__(self) -> None:
        self.rows = {model: list(model.objects.all()) for model in self.models}

    def put_back(self) -> None:
        for model in reversed(self.models):
            model.objects.all().delete()
        for model in self.models:
            model.objects.bulk_create(self.rows[model])


@pytest.mark.slow
@pytest.mark.parametrize("sealed", [False, True])
def test_older_database__adopts_the_newer_store__every_event_is_there_once(sealed: bool) -> None:
    accept_some("a")
    flush.flush_events()
    accept_some("b", "c")
    if sealed:
        flush._seal()
    older = Backup()
    flush.flush_events()
    accept_some("d")
    flush.flush_events()
    older.put_back()
    accept_some("e")
    with pytest.raises(StoreRefused) as caught:
        flush.flush_events()
    assert caught.value.trouble == Trouble.AHEAD

    assert reconcile_after_restore.adopt_store() == (1, 2)

    accept_some("a", "b", "d", "f")  # repeated, but for the last
    assert flush.flush_events() == 2
    assert plain_ids() == dict.fromkeys("abcdef", 1)


def test_former_rows__that_the_store_has__are_settled_and_stay_known() -> None:
    accept_some("a")
    flush.flush_events()
    now = timezone.now()
    text = {"user_id": "u", "event": "e", "properties": "{}", "time": now, "received_at": now}
    FormerOutboxEvent.objects.bulk_create(FormerOutboxEvent(message_id=f"1:{name}", **text) for name in "bc")
    older = Backup()
    FormerOutboxEvent.objects.filter(message_id="1:c").delete()
    flush.flush_events()
    older.put_back()

    assert reconcile_after_restore.adopt_store() == (1, 1)

    row = FormerOutboxEvent.objects.get(message_id="1:b")
    assert (row.flush is not None, row.user_id, row.properties) == (True, "", "")
    assert flush.flush_events() == 1
    assert sorted(name.rpartition(":")[2] for name in stored_ids().elements()) == ["a", "b", "c"]


def test_id_that_came_again_after_its_time__is_another_event_and_waits_on() -> None:
    accept_some("a")
    OutboxEvent.objects.update(received_at=timezone.now() - timedelta(days=9))
    MessageId.objects.all().delete()
    flush.flush_events()
    accept_some("a")

    assert reconcile_after_restore.adopt_store() == (1, 0)
    assert flush.flush_events() == 1


def test_waiting_rows__of_many__only_those_in_the_store_go(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [{"type": "track", "event": "e", "userId": "u", "messageId": str(n)} for n in range(500)]
    accept_events(source_id=1, key_kind="server", events=events, received_at=timezone.now())
    older = Backup()
    OutboxEvent.objects.filter(pk__in=list(OutboxEvent.objects.values_list("pk", flat=True))[::2]).delete()
    flush.flush_events()
    older.put_back()
    kept = [model_to_dict(row) for row in list(OutboxEvent.objects.order_by("pk"))[::2]]

    assert reconcile_after_restore.adopt_store() == (250, 250)
    assert [model_to_dict(row) for row in OutboxEvent.objects.order_by("pk")] == kept
