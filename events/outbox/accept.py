"""Accept events: when this returns, they are durable rows of the outbox."""

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

QUARANTINE_AN_HOUR = 1_000  # rows of one source: people read only the first dozen
INGESTED = Counter("insight_ingest_events", "Events that came in by HTTP, by what became of them.", ["result"])
RESULTS = [INGESTED.labels(name) for name in ("accepted", "duplicate", "rejected", "from_the_future", "erased_user")]


@dataclass(frozen=True)
class Receipt:
    """The result of one request: counts of new and repeated events, and each refused one."""

    accepted: int
    duplicates: int
    rejected: tuple[Rejection, ...]


def accept_events(
    *, source_id: int, key_kind: str, events: list[Any], received_at: datetime, visitor: str = "", **options: Any
) -> Receipt:
    """Store the events of one request in one transaction: outbox rows, latest traits, quarantine.

    Args:
        source_id: the row of `Source`.
        key_kind: of the caller: ``client``, ``server`` or ``admin``. Source and kind prefix the message ids, so that an
            event sent with a public key never makes a server's event look like a repeat.
        events: as parsed from JSON.
        received_at: time of arrival.
        visitor: with a client key, the visitor's address.
        options: of `events.schema.read_batch`.

    Raises:
        django.db.Error: when the database can't store them; then nothing was stored.
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
    # A single statement is a transaction by itself.
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
    """Insert events with unknown message ids, in one statement; returns the number of new rows.

    Other code that makes events (an exposure, for example) calls this in its transaction.

    Args:
        records: of a repeated id only the first record is stored.
        prefix: of the message ids.
        received_at: time of arrival.
        source: as for `events.outbox.insert.insert`; mark: likewise.
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
    """Store refused events for people to read, up to a limit; the sender is told of all, and metrics count them.

    A public key gets half of the limit, so that flooding it hides no event sent by a server.
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
