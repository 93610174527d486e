"""Send webhooks about experiments: rows first, network later (docs/webhooks.md).

`announce` writes rows in the caller's transaction, so messages are queued exactly when the change is committed.
`deliver_due` runs each minute. A try is counted before it is made, so that a killed worker doesn't repeat it at once.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from experiments.models import TYPES, WebhookDelivery, WebhookEndpoint
from experiments.webhook_messages import (
    Undelivered,
    certificate_end,
    check_url,
    headers,
    message_body,
    new_message_id,
    new_secret,
    post,
    wait_after,
)
from reporting.numbers import day_text
from runs.queue import status as queue_status
from runs.refusals import Refused

log = structlog.get_logger()
AT_ONCE = 100  # deliveries per call; the rest wait a minute
GONE = 410

type Post = Callable[[str, bytes, Mapping[str, str]], int]


def create_endpoint(*, name: str, url: str) -> WebhookEndpoint:
    """Register an address; show its ``secret`` once, for the receiver.

    Raises:
        Refused: the address isn't https on port 443. The host's IP addresses are checked at each delivery.
    """
    check_url(url)
    return WebhookEndpoint.objects.create(name=name, url=url, secret=new_secret())


def update_endpoint(*, endpoint: WebhookEndpoint, **values: Any) -> WebhookEndpoint:
    """Change `name`, `url` or `enabled`; enabling clears the reason why it was disabled.

    Raises:
        Refused: as `create_endpoint`.
    """
    if "url" in values:
        check_url(values["url"])
    with transaction.atomic():
        row = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        for name, value in values.items():
            if name == "url" and value != row.url:
                row.certificate_until = None  # of the previous address
            setattr(row, name, value)
        row.disabled_reason = "" if row.enabled else row.disabled_reason
        row.save(update_fields=[*values, "disabled_reason", "certificate_until"])
    return row


def rotate_secret(*, endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Replace its secret; for KEY_ROTATION_DAYS messages are also signed with the old one."""
    with transaction.atomic():
        row = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        row.previous_secret, row.secret = row.secret, new_secret()
        row.previous_until = timezone.now() + timedelta(days=settings.KEY_ROTATION_DAYS)
        row.save(update_fields=["previous_secret", "secret", "previous_until"])
    return row


def announce(type_: str, data: dict[str, Any]) -> str | None:
    """Queue a message to every enabled endpoint, in the caller's transaction.

    Args:
        type_: one of `experiments.models.serving.TYPES`.
        data: a JSON object.

    Returns:
        The message's id, or None when no endpoint is enabled.

    Raises:
        ValueError: for an unknown type, or data that isn't JSON.
    """
    if type_ not in TYPES:
        raise ValueError(f"there is no webhook {type_}; there are {', '.join(TYPES)}")
    now, message_id = timezone.now(), new_message_id()
    body = message_body(type_, data, now).decode()
    rows = [
        WebhookDelivery(endpoint=endpoint, message_id=message_id, type=type_, body=body, next_try_at=now)
        for endpoint in WebhookEndpoint.objects.filter(enabled=True)
    ]
    WebhookDelivery.objects.bulk_create(rows)
    return message_id if rows else None


def deliver_due(*, send: Post = post) -> dict[str, int]:
    """Try every delivery that is due; returns how many were delivered, failed, or given up.

    Safe to run in two workers at once: each try is claimed before it is made.
    """
    done = {"delivered": 0, "failed": 0, "given_up": 0}
    due = WebhookDelivery.objects.filter(next_try_at__lte=timezone.now(), endpoint__enabled=True)
    for row in due.select_related("endpoint").order_by("next_try_at", "id")[:AT_ONCE]:
        if _claim(row):
            outcome = _try(row, send)
            done[outcome] += 1
            queue_status.count(queue_status.WEBHOOKS, str(row.endpoint_id), outcome)
    return done


def look_at_certificates(*, look: Callable[[str], datetime] = certificate_end) -> int:
    """Nightly: store when the certificate of each enabled endpoint expires; returns how many were read.

    Where reading fails, the last known date stays.
    """
    seen = 0
    for row in WebhookEndpoint.objects.filter(enabled=True):
        try:
            until = look(row.url)
        except (Undelivered, Refused):
            log.warning("webhook.no_certificate", endpoint=row.pk)
            continue
        seen += WebhookEndpoint.objects.filter(pk=row.pk, url=row.url).update(certificate_until=until)
    return seen


def send_again(*, delivery: WebhookDelivery) -> None:
    """Queue a delivery that was given up again, with all its tries.

    Raises:
        Refused: it is still queued, was delivered, or its endpoint is disabled.
    """
    waiting = WebhookDelivery.objects.filter(
        pk=delivery.pk, next_try_at=None, delivered_at=None, endpoint__enabled=True
    )
    if not waiting.update(tries=0, next_try_at=timezone.now()):
        raise Refused("Only a delivery that was given up can be sent again, to an endpoint that is on.")


def _claim(row: WebhookDelivery) -> bool:
    """Count the try and set the time of the next one; False when another worker did, or the endpoint was disabled."""
    wait = wait_after(row.tries + 1)
    row.next_try_at, before = (None if wait is None else timezone.now() + wait), row.next_try_at
    row.tries += 1
    mine = WebhookDelivery.objects.filter(pk=row.pk, tries=row.tries - 1, next_try_at=before, endpoint__enabled=True)
    return bool(mine.update(tries=row.tries, next_try_at=row.next_try_at))


def _try(row: WebhookDelivery, send: Post) -> str:
    body, now = row.body.encode(), timezone.now()
    signed = headers(row.endpoint.secrets, message_id=row.message_id, at=now, body=body)
    status, trouble = None, ""
    try:
        status = send(row.endpoint.url, body, signed)
    except (Undelivered, Refused) as caught:
        trouble = str(caught)[:200]
    if status is not None and 200 <= status < 300:
        _note(row, status=status, trouble="", delivered_at=now, next_try_at=None)
        return "delivered"
    _note(row, status=status, trouble=trouble)
    log.warning("webhook.failed", delivery=row.pk, endpoint=row.endpoint_id, status=status, tries=row.tries)
    if status == GONE:
        _switch_off(row.endpoint, now)
        return "given_up"
    return "failed" if row.next_try_at is not None else "given_up"


def _note(row: WebhookDelivery, *, status: int | None, **values: str | datetime | None) -> None:
    WebhookDelivery.objects.filter(pk=row.pk).update(status=status, **values)


def _switch_off(endpoint: WebhookEndpoint, now: datetime) -> None:
    """Disable an endpoint that answered 410 (gone), and drop its queued deliveries."""
    reason = gettext("It answered 410 (gone) on {day}.").format(day=day_text(now.date()))
    with transaction.atomic():
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(enabled=False, disabled_reason=reason)
        WebhookDelivery.objects.filter(endpoint=endpoint, delivered_at=None).update(next_try_at=None)
