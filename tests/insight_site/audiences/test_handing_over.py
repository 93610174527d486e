"""What goes out: each change once it was answered well, in order, signed; files whole and only where they may lie."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from experiments.webhook_messages import Undelivered, headers
from insight_site.audiences import audience_services, sync
from insight_site.audiences.audience_services import rotate_secret, update_audience
from insight_site.models import Audience
from runs.refusals import Refused
from segments.models import Segment
from tests.insight_site.audiences.make import HOOK, Receiver, audience, place, segment

pytestmark = pytest.mark.django_db


def counted(units: str, **values: Any) -> tuple[Segment, Audience]:
    group = segment()
    row = audience(group, **{"way": "webhook", "url": HOOK, **values})
    place(group, units)
    audience_services.count(row.pk)
    return group, row


def applied(receiver: Receiver) -> set[str]:
    known = set[str]()
    for body, _ in receiver.sent:
        data = json.loads(body)["data"]
        known = (known - set(data["removed"])) | set(data["added"])
    return known


def test_webhook__first_and_later__is_told_everybody_then_the_changes() -> None:
    group, row = counted("abc")
    receiver = Receiver(204)

    assert sync.send_due(post=receiver) == 1
    place(group, "bcd")
    audience_services.count(row.pk)
    sync.send_due(post=receiver)
    sync.send_due(post=receiver)

    assert [json.loads(body)["data"] for body, _ in receiver.sent] == [
        {"audience": "fighters", "first_change": 1, "last_change": 3, "removed": [], "added": ["a", "b", "c"]},
        {"audience": "fighters", "first_change": 4, "last_change": 5, "removed": ["a"], "added": ["d"]},
    ]
    assert json.loads(receiver.sent[0][0])["type"] == "audience.changed"


def test_webhook__pages__are_sent_in_order_and_go_on_where_they_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "PAGE", 2)
    _, row = counted("abcde")
    receiver = Receiver(200, 500, 200)

    assert sync.send_due(post=receiver) == 0
    row.refresh_from_db()
    assert (row.sent_change, row.tries, row.trouble) == (2, 1, "It answered 500.")
    assert sync.send_due(post=receiver) == 0  # it waits a minute
    assert len(receiver.sent) == 2
    with time_machine.travel(timezone.now() + timedelta(minutes=1, seconds=1)):
        assert sync.send_due(post=receiver) == 1

    row.refresh_from_db()
    assert (row.sent_change, row.tries, row.trouble) == (5, 0, "")
    assert receiver.sent[1][1]["webhook-id"] == receiver.sent[2][1]["webhook-id"]
    assert applied(receiver) == set("abcde")


def test_webhook__signature__is_that_of_the_secret_and_of_the_old_one_for_a_while() -> None:
    _, row = counted("a")
    old = Audience.objects.get().secret
    rotate_secret(audience=row)
    receiver = Receiver(204)

    sync.send_due(post=receiver)

    body, sent = receiver.sent[0]
    at = datetime.fromtimestamp(int(sent["webhook-timestamp"]), tz=UTC)
    both = (Audience.objects.get().secret, old)
    assert sent == headers(both, message_id=sent["webhook-id"], at=at, body=body)
    assert len(sent["webhook-signature"].split()) == 2


def test_webhook__that_is_gone__is_switched_off() -> None:
    counted("a")

    sync.send_due(post=Receiver(410))

    row = Audience.objects.get()
    assert (row.enabled, row.sent_change) == (False, 0)
    assert row.trouble.startswith("It answered 410 (gone)")


def test_webhook__away_for_days__is_never_given_up() -> None:
    counted("a")
    now = timezone.now()
    receiver = Receiver(Undelivered("nobody there"))

    for hours in range(0, 24 * 6, 10):
        with time_machine.travel(now + timedelta(hours=hours)):
            sync.send_due(post=receiver)
    with time_machine.travel(now + timedelta(days=7)):
        assert sync.send_due(post=Receiver(204)) == 1
    assert len(receiver.sent) > 10


def test_new_address__knows_nobody__and_is_told_everybody() -> None:
    _, row = counted("ab")
    sync.send_due(post=Receiver(204))
    update_audience(audience=row, url="https://other.example.com/")
    receiver = Receiver(204)

    sync.send_due(post=receiver)

    assert applied(receiver) == {"a", "b"}


@pytest.mark.parametrize(
    ("allowed", "url", "why"),
    [
        ([], "s3://lists/crm", "names no place"),
        (["s3://lists"], "s3://events/store", "is not below"),
        (["s3://lists"], "s3://lists-of-others/x", "is not below"),
        (["s3://lists"], "s3://lists/../events", "no address"),
        (["s3://lists"], "file:///etc", "no address"),
        (["s3://lists"], "/etc", "no address"),
    ],
)
def test_files__where_the_operator_did_not_say__are_refused(
    allowed: list[str], url: str, why: str, settings: Any
) -> None:
    settings.AUDIENCE_URLS = allowed

    with pytest.raises(Refused, match=why):
        audience(segment(), way="file", url=url)


@pytest.mark.parametrize("url", ["http://hooks.example.com/", "https://hooks.example.com:8443/", "ftp://x", ""])
def test_webhook__that_is_no_https_address__is_refused(url: str) -> None:
    with pytest.raises(Refused):
        audience(segment(), way="webhook", url=url)
