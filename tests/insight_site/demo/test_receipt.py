"""Receipt times of the demo's events: when the app sent them, not when the demo ran."""

from datetime import UTC, datetime, timedelta

import pytest

from events.models import OutboxEvent
from insight_site.demo.team import noting_late, receive_when_sent

pytestmark = pytest.mark.django_db
HAPPENED = datetime(2026, 11, 20, 8, tzinfo=UTC)


def test_receipt__prompt_and_late__is_when_each_was_sent() -> None:
    calls = []
    for name, after in (("prompt", timedelta(hours=1)), ("late", timedelta(hours=1, seconds=1))):
        calls.append({"messageId": name, "timestamp": HAPPENED.isoformat(), "sentAt": (HAPPENED + after).isoformat()})
        OutboxEvent.objects.create(
            message_id=f"1:s:{name}",
            user_id="u",
            event="play",
            time=HAPPENED,
            properties="{}",
            received_at=HAPPENED + timedelta(days=12),
        )
    late: dict[str, datetime] = {}

    assert list(noting_late(calls, late)) == calls
    receive_when_sent(late)

    found = {row.message_id: row.received_at - row.time for row in OutboxEvent.objects.all()}
    assert found == {"1:s:prompt": timedelta(), "1:s:late": timedelta(hours=1, seconds=1)}
