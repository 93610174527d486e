"""Accept events: they are durable rows of the outbox when this returns."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from prometheus_client import Counter

from events.models import OutboxEvent, Rejected, UnitTraits
from events.schema import EventRecord, Rejection, merge_traits, read_batch
from events.senders import LETTERS, prefix_of

ROWS_PER_INSERT = 500  # 3,000 parameters; SQLite allows 32,766 and PostgreSQL 65,535
COLUMNS = ("message_id", "user_id", "event", "time", "properties", "received_at")
INGESTED = Counter("insight_ingest_events", "Events that came in by HTTP, by what became of them.", ["result"])


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
    with transaction.atomic():
        fresh = _unknown_to_03(records, source_id)
        new = add_to_outbox(fresh, prefix=prefix_of(source_id, key_kind), received_at=received_at)
        _remember_traits(records, received_at)
        Rejected.objects.bulk_create([_quarantined(item, source_id, received_at) for item in rejected], batch_size=500)
    INGESTED.labels("accepted").inc(new)
    INGESTED.labels("duplicate").inc(len(records) - new)
    INGESTED.labels("rejected").inc(len(rejected))
    INGESTED.labels("from_the_future").inc(sum(record.clamped for record in records))
    return Receipt(new, len(records) - new, tuple(rejected))


def add_to_outbox(records: Sequence[EventRecord], *, prefix: str, received_at: datetime) -> int:
    """Insert what isn't there yet, by message id; the number of new rows. Call it inside a transaction.

    Other doors that make events of their own (an exposure, for example) call this in their transaction.
    """
    rows: dict[str, tuple[Any, ...]] = {}
    for record in records:
        key = f"{prefix}:{record.message_id or uuid.uuid4().hex}"
        rows.setdefault(key, (key, record.user_id, record.event, record.time, record.properties, received_at))
    # In one order everywhere: two requests that repeat each other's ids would otherwise lock each other out.
    ordered = [rows[key] for key in sorted(rows)]
    return sum(_insert(ordered[at : at + ROWS_PER_INSERT]) for at in range(0, len(ordered), ROWS_PER_INSERT))


def _unknown_to_03(records: Sequence[EventRecord], source_id: int) -> list[EventRecord]:
    """Without those whose ids version 0.3 accepted: it kept no kind of key, so its ids count for all kinds.

    They go with their flush after EVENT_ID_DAYS. An id that begins like a kind (``c:…``) can't be looked up: what reads
    as 0.3's id of it may be a client's id of today, and a client could take a server's id again.
    """
    kinds = tuple(f"{letter}:" for letter in LETTERS.values())
    old = {
        f"{source_id}:{record.message_id}"
        for record in records
        if record.message_id and not record.message_id.startswith(kinds)
    }
    known = set(OutboxEvent.objects.filter(message_id__in=old).values_list("message_id", flat=True)) if old else set()
    return [record for record in records if not record.message_id or f"{source_id}:{record.message_id}" not in known]


def _insert(rows: Sequence[tuple[Any, ...]]) -> int:
    """bulk_create(ignore_conflicts=True) would not say how many rows are new."""
    fields: list[Any] = [OutboxEvent._meta.get_field(name) for name in COLUMNS]
    values = [
        field.get_db_prep_save(value, connection) for row in rows for field, value in zip(fields, row, strict=True)
    ]
    quote = connection.ops.quote_name
    one = "(" + ", ".join(["%s"] * len(COLUMNS)) + ")"
    sql = (
        f"INSERT INTO {quote(OutboxEvent._meta.db_table)} ({', '.join(map(quote, COLUMNS))}) "  # noqa: S608 - own names
        f"VALUES {', '.join([one] * len(rows))} ON CONFLICT ({quote('message_id')}) DO NOTHING"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


def _remember_traits(records: Sequence[EventRecord], received_at: datetime) -> None:
    said = [record for record in records if record.traits]
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
