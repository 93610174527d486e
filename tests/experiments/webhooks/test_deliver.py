"""The outbox of webhooks: announced with what they tell, tried for a day, never twice at once."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from experiments.models import WebhookDelivery, WebhookEndpoint
from experiments.webhook_messages import Undelivered, headers
from experiments.webhooks import announce, create_endpoint, deliver_due, rotate_secret, send_again
from runs.refusals import Refused

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STARTED = "experiment.started"


class Receiver:
    """Answers in turn with the given statuses or troubles, the last one for ever."""

    def __init__(self, *answers: int | BaseException) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, bytes, dict[str, str]]] = []

    def __call__(self, url: str, body: bytes, sent: Mapping[str, str]) -> int:
        self.calls.append((url, body, dict(sent)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def endpoint(name: str = "team") -> WebhookEndpoint:
    return create_endpoint(name=name, url=f"https://{name}.example.com/in")


def test_announce__two_endpoints_and_one_off__one_message_to_each_that_is_on() -> None:
    one, two = endpoint("one"), endpoint("two")
    WebhookEndpoint.objects.create(name="off", url="https://off.example.com/", secret="whsec_", enabled=False)

    message_id = announce(STARTED, {"key": "invite"})

    rows = WebhookDelivery.objects.order_by("endpoint__name")
    assert [(row.endpoint, row.message_id, row.type, row.tries) for row in rows] == [
        (one, message_id, STARTED, 0),
        (two, message_id, STARTED, 0),
    ]
    assert json.loads(rows[0].body)["data"] == {"key": "invite"}


def test_announce__nobody_listens__is_nothing() -> None:
    assert announce(STARTED, {}) is None
    assert deliver_due(send=Receiver(200)) == {"delivered": 0, "failed": 0, "given_up": 0}


def test_announce__unknown_type__is_refused_though_nobody_listens() -> None:
    with pytest.raises(ValueError, match="there is no webhook experiment"):
        announce("experiment.exploded", {})


def test_announce__what_it_tells_is_rolled_back__so_is_the_message() -> None:
    endpoint()

    with transaction.atomic():
        announce(STARTED, {})
        transaction.set_rollback(True)

    assert not WebhookDelivery.objects.exists()


def test_deliver__accepted__is_signed_and_done() -> None:
    row = endpoint()
    message_id = announce(STARTED, {"key": "invite"})
    receiver = Receiver(204)

    with time_machine.travel(START + timedelta(days=400), tick=False):
        assert deliver_due(send=receiver) == {"delivered": 1, "failed": 0, "given_up": 0}
        assert deliver_due(send=receiver)["delivered"] == 0
        expected = headers(
            [row.secret], message_id=message_id or "", at=START + timedelta(days=400), body=receiver.calls[0][1]
        )

    delivery = WebhookDelivery.objects.get()
    assert receiver.calls == [(row.url, delivery.body.encode(), expected)]
    assert (delivery.status, delivery.tries, delivery.next_try_at, delivery.trouble) == (204, 1, None, "")
    assert delivery.delivered_at is not None


@pytest.mark.slow
def test_deliver__never_accepted__is_tried_eight_times_in_a_day_with_one_id() -> None:
    receiver = Receiver(500, Undelivered("timed out"), Refused("not public"), 302, 404)
    moments: list[timedelta] = []
    with time_machine.travel(START, tick=False) as clock:
        endpoint()
        message_id = announce(STARTED, {})
        results = []
        for minute in range(2 * 24 * 60):
            clock.move_to(START + timedelta(minutes=minute))
            if any((done := deliver_due(send=receiver)).values()):
                moments.append(timedelta(minutes=minute))
                results.append(done)

    delivery = WebhookDelivery.objects.get()
    assert [result["failed"] for result in results] == [1] * 7 + [0]
    assert results[-1]["given_up"] == 1
    assert timedelta(hours=20) < moments[-1] < timedelta(hours=26)
    assert {call[2]["webhook-id"] for call in receiver.calls} == {message_id}
    assert len({call[2]["webhook-timestamp"] for call in receiver.calls}) == 8
    assert (delivery.tries, delivery.next_try_at, delivery.delivered_at, delivery.status) == (8, None, None, 404)


def test_deliver__trouble_then_accepted__keeps_the_last_answer_only() -> None:
    with time_machine.travel(START, tick=False) as clock:
        endpoint()
        announce(STARTED, {})
        deliver_due(send=Receiver(Undelivered("timed out")))
        troubled = WebhookDelivery.objects.get()
        clock.shift(60)
        deliver_due(send=Receiver(200))

    delivery = WebhookDelivery.objects.get()
    assert (troubled.trouble, troubled.status) == ("timed out", None)
    assert (delivery.trouble, delivery.status, delivery.tries) == ("", 200, 2)


def test_deliver__gone__switches_the_endpoint_off_and_drops_what_waits() -> None:
    gone = endpoint("gone")
    announce(STARTED, {})
    announce("experiment.stopped", {})
    receiver = Receiver(410)

    assert deliver_due(send=receiver) == {"delivered": 0, "failed": 0, "given_up": 1}

    gone.refresh_from_db()
    assert not gone.enabled
    assert gone.disabled_reason.startswith("It answered 410 (gone)")
    assert len(receiver.calls) == 1
    assert not WebhookDelivery.objects.exclude(next_try_at=None).exists()
    assert announce(STARTED, {}) is None


def test_deliver__worker_that_dies_in_the_middle__is_followed_by_the_next_try_only() -> None:
    with time_machine.travel(START, tick=False) as clock:
        endpoint()
        announce(STARTED, {})
        with pytest.raises(KeyboardInterrupt):
            deliver_due(send=Receiver(KeyboardInterrupt()))
        again = Receiver(200)
        assert deliver_due(send=again)["delivered"] == 0
        clock.shift(60)
        assert deliver_due(send=again)["delivered"] == 1

    assert WebhookDelivery.objects.get().tries == 2


def test_deliver__two_workers_at_once__send_each_message_once() -> None:
    endpoint()
    announce(STARTED, {})
    announce("experiment.stopped", {})
    other = Receiver(200)

    class First(Receiver):
        def __call__(self, url: str, body: bytes, sent: Mapping[str, str]) -> int:
            deliver_due(send=other)  # it takes the second message, which this worker has in its list already
            return super().__call__(url, body, sent)

    first = First(200)
    done = deliver_due(send=first)

    assert (len(first.calls), len(other.calls), done["delivered"]) == (1, 1, 1)
    assert first.calls[0][2]["webhook-id"] != other.calls[0][2]["webhook-id"]


def test_rotate__for_a_week__both_secrets_sign() -> None:
    with time_machine.travel(START, tick=False) as clock:
        row = endpoint()
        old = row.secret
        row = rotate_secret(endpoint=row)
        during = row.secrets
        clock.shift(timedelta(days=7) - timedelta(seconds=1))
        last_moment = row.secrets
        clock.shift(timedelta(seconds=1))

        assert during == last_moment == (row.secret, old)
        assert row.secret != old
        assert row.secrets == (row.secret,)
        row.refresh_from_db()
        assert row.previous_secret == old


def test_create__bad_address__is_refused_and_nothing_is_kept() -> None:
    with pytest.raises(Refused):
        create_endpoint(name="x", url="http://example.com/")

    assert not WebhookEndpoint.objects.exists()


def test_send_again__only_what_was_given_up() -> None:
    row = endpoint()
    announce(STARTED, {})
    delivery = WebhookDelivery.objects.get()

    with pytest.raises(Refused):
        send_again(delivery=delivery)
    WebhookDelivery.objects.update(next_try_at=None, tries=8)
    send_again(delivery=delivery)
    assert deliver_due(send=Receiver(200))["delivered"] == 1
    with pytest.raises(Refused):
        send_again(delivery=delivery)
    WebhookDelivery.objects.update(delivered_at=None)
    WebhookEndpoint.objects.filter(pk=row.pk).update(enabled=False)
    with pytest.raises(Refused):
        send_again(delivery=delivery)


def admin_client() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_admin__new_endpoint__shows_its_secret_once_and_not_from_a_cache() -> None:
    client, url = admin_client(), "/admin/experiments/webhookendpoint/"

    made: Any = client.post(f"{url}add/", {"name": "team", "url": "https://team.example.com/in", "enabled": "on"})

    row = WebhookEndpoint.objects.get()
    assert row.secret in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    for page in (url, f"{url}{row.pk}/change/"):
        assert row.secret not in client.get(page).content.decode()


def test_admin__address_that_isn_t_allowed__is_told_on_the_form() -> None:
    answer = admin_client().post(
        "/admin/experiments/webhookendpoint/add/", {"name": "team", "url": "https://team.example.com:8443/"}
    )

    assert "only port 443 is allowed" in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_admin__rotate_and_switch_on_again__keep_secret_and_clear_reason() -> None:
    client, url = admin_client(), "/admin/experiments/webhookendpoint/"
    row = endpoint()
    WebhookEndpoint.objects.update(enabled=False, disabled_reason="gone")

    shown = client.post(url, {"action": "rotate", "_selected_action": [row.pk]})
    client.post(f"{url}{row.pk}/change/", {"name": "team 2", "url": row.url, "enabled": "on"})

    now = WebhookEndpoint.objects.get()
    assert now.secret in shown.content.decode()
    assert (now.previous_secret, now.name, now.enabled, now.disabled_reason) == (row.secret, "team 2", True, "")


def test_admin__deliveries__are_read_only_and_can_be_sent_again() -> None:
    client, url = admin_client(), "/admin/experiments/webhookdelivery/"
    endpoint()
    announce(STARTED, {})
    announce(STARTED, {})
    first, second = WebhookDelivery.objects.order_by("id")
    WebhookDelivery.objects.filter(pk=first.pk).update(next_try_at=None, tries=8)

    answer: Any = client.post(url, {"action": "send_again", "_selected_action": [first.pk, second.pk]}, follow=True)

    text = answer.content.decode()
    assert "1 delivery is sent again." in text
    assert "Only a delivery that was given up can be sent again" in text
    assert client.get(f"{url}{first.pk}/change/").status_code == 200
    assert client.get(f"{url}add/").status_code == 403
