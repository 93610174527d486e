"""Accept events: they are durable rows of the outbox when this returns."""

import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from prometheus_client import Counter

from events.models import Rejected, UnitTraits
from events.outbox.insert import insert
from events.schema import EventRecord, Rejection, merge_traits, read_batch
from events.senders import prefix_of

INGESTED = Counter("insight_ingest_events", "Events that came in by HTTP, by what became of them.", ["result"])
RESULTS = [INGESTED.labels(name) for name in ("accepted", "duplicate", "rejected", "from_the_future")]


@dataclass(frozen=True)
class Receipt:
    """What became of one request: counts of new and repeated events, and each refused one."""

    accepted: int
    duplicates: int
    rejected: tuple[Rejection, ...]


def accept_events(
    *, source_id: int, key_kind: str, events: list[Any], received_at: datetime, **options: Any
) -> Receipt:
    """Keep the events of one request in one transaction: outbox rows, latest traits, quarantine.

    Args:
        source_id: the row of `Source`.
        key_kind: of the caller: ``client``, ``server`` or ``admin``. Source and kind prefix the message ids: what
            anybody sends with a public key never makes a repeat of what a server sends.
        events: as JSON gave them.
        received_at: time of arrival.
        options: of `events.schema.read_batch`.

    Raises:
        django.db.Error: when the database can't keep them; then nothing was kept.
    """
    records, rejected = read_batch(events, received_at=received_at, **options)
    prefix = prefix_of(source_id, key_kind)
    said = [record for record in records if record.traits]
    # One statement is a transaction by itself.
    with transaction.atomic() if said or rejected else nullcontext():
        new = add_to_outbox(records, prefix=prefix, received_at=received_at, source=source_id)
        _remember_traits(said, received_at)
        if rejected:
            Rejected.objects.bulk_create(
                [_quarantined(item, source_id, received_at) for item in rejected], batch_size=500
            )
    clamped = sum([record.clamped for record in records])
    for counter, count in zip(RESULTS, (new, len(records) - new, len(rejected), clamped), strict=True):
        if count:
            counter.inc(count)
    return Receipt(new, len(records) - new, tuple(rejected))


def add_to_outbox(
    records: Sequence[EventRecord], *, prefix: str, received_at: datetime, source: int | None = None
) -> int:
    """Insert what isn't there yet, by message id, in one statement; the number of new rows.

    Other doors that make events of their own (an exposure, for example) call this in their transaction.

    Args:
        records: an id that stands twice in them is kept once, as it came first.
        prefix: of the message ids.
        received_at: time of arrival.
        source: as `events.outbox.insert.insert` has it.
    """
    rows: dict[str, EventRecord] = {}
    for record in records:
        rows.setdefault(f"{prefix}:{record.message_id or uuid.uuid4().hex}", record)
    return insert(rows, received_at=received_at, prefix=prefix, source=source)


def _remember_traits(said: Sequence[EventRecord], received_at: datetime) -> None:
    users = sorted({record.user_id for record in said})
    if not users:
        return
    UnitTraits.objects.bulk_create([UnitTraits(user_id=user) for user in users], ignore_conflicts=True)
    rows = {
        row.user_id: row for row in UnitTraits.objects.select_for_update().filter(user_id__in=users).order_by("user_id")
    }
    for record in said:
        row = rows[record.user_id]
        row.traits, row.times = merge_traits(row.traits, row.times, record.traits or {}, record.time)
        row.updated_at = received_at
    UnitTraits.objects.bulk_update(rows.values(), ["traits", "times", "updated_at"], batch_size=200)


def _quarantined(item: Rejection, source_id: int, received_at: datetime) -> Rejected:
    return Rejected(
        source_id=source_id,
        received_at=received_at,
        code=item.code,
        message=item.message,
        message_id=item.message_id or "",
        payload=item.payload,
    )
