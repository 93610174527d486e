"""Message ids that were accepted: kept as digests, so that an event that is sent again is known after its flush.

A digest has 16 bytes of SHA-256. Nobody finds a second text with a given one, so no sender's id can hide another's.
"""

import hashlib
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import batched
from uuid import UUID

from django.conf import settings
from django.db.models import Min
from django.utils import timezone

from events.models import FormerOutboxEvent, MessageId, OutboxEvent

PRUNE_ROWS = 5_000
SLICES = 256  # of the ids by their first byte: no index by time, which each event would have to pay for


def keys_of(message_ids: Iterable[str]) -> list[str]:
    """The digests of whole message ids, each as 32 hexadecimal digits; the migration of the old table has it in SQL."""
    sha256 = hashlib.sha256
    return [sha256(name.encode()).hexdigest()[:32] for name in message_ids]


def drop_old() -> int:
    """Forget ids that came over EVENT_ID_DAYS ago; how many. An event that still waits for the store keeps its id."""
    before = timezone.now() - timedelta(days=settings.EVENT_ID_DAYS)
    return _drop_former(before) + _drop(min(before, _oldest_that_waits() or before))


def _oldest_that_waits() -> datetime | None:
    oldest: datetime | None = OutboxEvent.objects.aggregate(oldest=Min("received_at"))["oldest"]
    return oldest


def _drop(before: datetime) -> int:
    dropped = 0
    for first in range(SLICES):
        begin, end = UUID(int=first << 120), UUID(int=(first << 120) | ((1 << 120) - 1))
        old = MessageId.objects.filter(key__range=(begin, end), received_at__lt=before)
        # Looked for before they are deleted: a DELETE that searches holds SQLite's one lock for writing meanwhile, and
        # 256 in a row left no gap in which an approval or an event could be written.
        for keys in batched(old.values_list("key", flat=True), PRUNE_ROWS):
            begun = time.monotonic()
            dropped += old.filter(key__in=keys).delete()[0]
            time.sleep(time.monotonic() - begun)  # others get as long as this had
    return dropped


def _drop_former(before: datetime) -> int:
    old = FormerOutboxEvent.objects.filter(flush__committed_at__lt=before)
    dropped = 0
    while ids := list(old.values_list("id", flat=True)[:PRUNE_ROWS]):
        dropped += FormerOutboxEvent.objects.filter(id__in=ids).delete()[0]
    return dropped
