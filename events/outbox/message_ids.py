"""Accepted message ids, stored as digests, so that an event sent again is recognised after its flush.

A digest has 16 bytes of SHA-256. Finding a second text with a given digest is infeasible, so no sender's id can hide
another's.
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
SLICES = 256  # of the ids by first byte: an index by time would slow each insert


def keys_of(message_ids: Iterable[str]) -> list[str]:
    """The digests of full message ids, each as 32 hexadecimal digits; the old table's migration repeats this in SQL."""
    sha256 = hashlib.sha256
    return [sha256(name.encode()).hexdigest()[:32] for name in message_ids]


def drop_old() -> int:
    """Delete ids older than EVENT_ID_DAYS; returns how many. An event that still waits for the store keeps its id."""
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
        # Selected before they are deleted: a DELETE that searches would hold SQLite's single write lock meanwhile, and
        # 256 in a row left no gap in which an approval or an event could be written.
        for keys in batched(old.values_list("key", flat=True), PRUNE_ROWS):
            begun = time.monotonic()
            dropped += old.filter(key__in=keys).delete()[0]
            time.sleep(time.monotonic() - begun)  # leave others as much time as this took
    return dropped


def _drop_former(before: datetime) -> int:
    old = FormerOutboxEvent.objects.filter(flush__committed_at__lt=before)
    dropped = 0
    while ids := list(old.values_list("id", flat=True)[:PRUNE_ROWS]):
        dropped += FormerOutboxEvent.objects.filter(id__in=ids).delete()[0]
    return dropped
