"""Accept events: they are durable rows of the outbox when this returns."""

import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from prometheus_client import Counter

from events.identity import erased_users, joins
from events.identity.said import handed_on, said_in
from events.models import Rejected, UnitTraits
from events.outbox.insert import insert
from events.outbox.latest_traits import merge_traits
from events.schema import EventRecord, Rejection, read_batch
from events.senders import prefix_of
from events.visits import mark_of_visitor

QUARANTINE_AN_HOUR = 1_000  # rows of one source: a person reads the first dozen
INGESTED = Counter("insight_ingest_events", "Events that came in by HTTP, by what became of them.", ["result"])
RESULTS = [INGESTED.labels(name) for name in ("accepted", "duplicate", "rejected", "from_the_future", "erased_user")]


@dataclass(frozen=True)
class Receipt:
    """What became of one request: counts of new and repeated events, and each refused one."""

    accepted: int
    duplicates: int
    rejected: tuple[Rejection, ...]


def accept_events(
    *, source_id: int, key_kind: str, events: list[Any], received_at: datetime, visitor: str = "", **options: Any
) -> Receipt:
    """Keep the events of one request in one transaction: outbox rows, latest traits, quarantine.

    Args:
        source_id: the row of `Source`.
        key_kind: of the caller: ``client``, ``server`` or ``admin``. Source and kind prefix the message ids: what
            anybody sends with a public key never makes a repeat of what a server sends.
        events: as JSON gave them.
        received_at: time of arrival.
        visitor: with a client key, what counts as one visitor: its address.
        options: of `events.schema.read_batch`.

    Raises:
        django.db.Error: when the database can't keep them; then nothing was kept.
    """
    if key_kind == "client":
        options["oldest"] = received_at - timedelta(days=settings.CLIENT_EVENT_DAYS)
    read, rejected = read_batch(events, received_at=received_at, **options)
    records = erased_users.drop_records(read)
    prefix = prefix_of(source_id, key_kind)
    mark = mark_of_visitor(visitor, received_at) if key_kind == "client" and records else ""
    said = [record for record in records if record.traits]
    by_server = key_kind != "client"
    logins = said_in(records, by_server=by_server)
    # One statement is a transaction by itself.
    with transaction.atomic() if said or rejected or logins else nullcontext():
        new = add_to_outbox(records, prefix=prefix, received_at=received_at, source=source_id, mark=mark)
        _remember_traits(said, received_at)
        if rejected:
            _quarantine(rejected, source_id, key_kind, received_at)
        if logins:
            joins.keep_said(logins, source_id=source_id, by_server=by_server, received_at=received_at)
    if logins and not connection.in_atomic_block:
        handed_on(logins, by_server=by_server)
    clamped = sum([record.clamped for record in records])
    counts = (new, len(records) - new, len(rejected), clamped, len(read) - len(records))
    for counter, count in zip(RESULTS, counts, strict=True):
        if count:
            counter.inc(count)
    return Receipt(new, len(records) - new, tuple(rejected))


def add_to_outbox(
    records: Sequence[EventRecord], *, prefix: str, received_at: datetime, source: int | None = None, mark: str = ""
) -> int:
    """Insert what isn't there yet, by message id, in one statement; the number of new rows.

    Other doors that make events of their own (an exposure, for example) call this in their transaction.

    Args:
        records: an id that stands twice in them is kept once, as it came first.
        prefix: of the message ids.
        received_at: time of arrival.
        source: as `events.outbox.insert.insert` has it; mark: alike.
    """
    rows: dict[str, EventRecord] = {}
    for record in records:
        rows.setdefault(f"{prefix}:{record.message_id or uuid.uuid4().hex}", record)
    return insert(rows, received_at=received_at, prefix=prefix, source=source, mark=mark)


def _remember_traits(said: Sequence[EventRecord], received_at: datetime) -> None:
    users = sorted({record.user_id for record in said})
    if not users:
        return
    made = [UnitTraits(user_id=user, is_user=False) for user in users]
    UnitTraits.objects.bulk_create(made, ignore_conflicts=True)
    rows = {
        row.user_id: row for row in UnitTraits.objects.select_for_update().filter(user_id__in=users).order_by("user_id")
    }
    for record in said:
        row = rows[record.user_id]
        row.traits, row.times = merge_traits(row.traits, row.times, record.traits or {}, record.time)
        row.updated_at = received_at
        row.is_user = True if record.is_user else row.is_user
    UnitTraits.objects.bulk_update(rows.values(), ["traits", "times", "updated_at", "is_user"], batch_size=200)


def _quarantine(rejected: Sequence[Rejection], source: int, kind: str, received_at: datetime) -> None:
    """Keep them to be read, as far as there is room; the sender is told of all, and metrics count them.

    A public key gets half of the room: whoever floods it hides no event that a server sent.
    """
    most = QUARANTINE_AN_HOUR if kind != "client" else QUARANTINE_AN_HOUR // 2
    hour = Rejected.objects.filter(source=source, received_at__gt=received_at - timedelta(hours=1))
    room = max(0, most - hour.count())
    Rejected.objects.bulk_create([_quarantined(item, source, received_at) for item in rejected[:room]], batch_size=500)


def _quarantined(item: Rejection, source_id: int, received_at: datetime) -> Rejected:
    return Rejected(
        source_id=source_id,
        received_at=received_at,
        code=item.code,
        message=item.message,
        message_id=item.message_id or "",
        payload=item.payload,
    )
