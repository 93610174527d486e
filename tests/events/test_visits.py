"""Marks of visitors: the same for an address in an hour, and for nobody else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.models import HourSalt, OutboxEvent
from events.outbox.accept import accept_events
from events.people import visits

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "_held", visits._Held(-1, b""))


def test_mark__same_address_and_hour__is_the_same_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = visits.mark_of_visitor("203.0.113.9", NOON)
    monkeypatch.setattr(visits, "_held", visits._Held(-1, b""))

    assert visits.mark_of_visitor("203.0.113.9", NOON + timedelta(minutes=59)) == mark
    assert len(mark) == visits.DIGITS
    assert HourSalt.objects.count() == 1


def test_mark__another_address_or_hour__is_another() -> None:
    asked = [("203.0.113.9", NOON), ("203.0.113.8", NOON), ("203.0.113.9", NOON + timedelta(hours=1))]

    assert len({visits.mark_of_visitor(*one) for one in asked}) == 3


def test_mark__within_an_hour__asks_the_database_once(django_assert_num_queries: Any) -> None:
    visits.mark_of_visitor("203.0.113.9", NOON)

    with django_assert_num_queries(0):
        visits.mark_of_visitor("203.0.113.8", NOON)


def test_salts__of_hours_that_are_over__are_forgotten() -> None:
    for hours in (0, 1, 2):
        visits.mark_of_visitor("203.0.113.9", NOON + timedelta(hours=hours))

    assert visits.forget_salts(NOON + timedelta(hours=2)) == 2
    assert HourSalt.objects.get().hour == int(NOON.timestamp()) // visits.HOUR + 2


def test_event_of_a_client_key__sent_again_from_another_address__is_a_repeat() -> None:
    def send(kind: str, visitor: str) -> int:
        raw = {"type": "track", "userId": "u", "event": "e", "messageId": "~00c0ffee:m"}
        return accept_events(source_id=7, key_kind=kind, events=[raw], received_at=NOON, visitor=visitor).accepted

    counts = [send("client", "203.0.113.9"), send("client", "203.0.113.8"), send("server", "")]

    assert counts == [1, 0, 1]
    first, second = OutboxEvent.objects.order_by("pk").values_list("message_id", flat=True)
    assert first == f"7:c:~{visits.mark_of_visitor('203.0.113.9', NOON)}:~00c0ffee:m"
    assert second == "7:s:~00c0ffee:m"
