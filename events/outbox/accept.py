"""Accept events: they are durable rows of the outbox when this returns, and each message id counts once."""

import hashlib
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min
from django.utils import timezone
from prometheus_client import Counter

from events.models import FormerOutboxEvent, MessageId, OutboxEvent, Rejected, UnitTraits
from events.people import identity, tombstones
from events.people.login_events import handed_on, said_in
from events.people.visits import mark_of_visitor
from events.schema import LETTERS, EventRecord, Rejection, dumps, marked, prefix_of, read_batch

# The latest traits of a user, trait by trait. Pure.

MAX_TRAITS = 500
TRAITS_BYTES = 64 * 1024  # of one user, as JSON


def merge_traits(
    traits: Mapping[str, Any], times: Mapping[str, str], new: Mapping[str, Any], at: datetime
) -> tuple[dict[str, Any], dict[str, str]]:
    """Latest value of each trait by the time of its event, so that a late event doesn't overwrite a newer value.

    Args:
        traits: value by name; `times` has the ISO time (UTC) of each.
        new: traits of one identify event that happened at `at`. At equal times the one that arrives later wins.

    Returns:
        The merged values and times, the most recent ones: at most `MAX_TRAITS` names and `TRAITS_BYTES` of JSON.
    """
    values, stamps = dict(traits), dict(times)
    stamp = at.astimezone(UTC).isoformat(timespec="microseconds")
    for name, value in new.items():
        if stamps.get(name, "") <= stamp:
            values[name], stamps[name] = value, stamp
    if len(values) > MAX_TRAITS or len(dumps(values).encode()) > TRAITS_BYTES:
        latest = _latest(values, stamps)
        values, stamps = {name: values[name] for name in latest}, {name: stamps[name] for name in latest}
    return values, stamps


def _latest(values: Mapping[str, Any], stamps: Mapping[str, str]) -> list[str]:
    """The most recently sent names, as many as fit."""
    latest, left, names = sorted(values, key=lambda name: stamps.get(name, ""), reverse=True), TRAITS_BYTES, list[str]()
    for name in latest[:MAX_TRAITS]:
        left -= len(dumps({name: values[name]}).encode())  # with braces, where the whole text has a comma
        names += [name] if left >= 0 else []
    return names


# Accepted message ids, stored as digests, so that an event sent again is recognised after its flush.
#
# A digest has 16 bytes of SHA-256. Finding a second text with a given digest is infeasible, so no sender's id can
# hide another's.

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


# Insert rows into the outbox: one statement for a whole batch, which also separates new message ids from known ones.
#
# It is hand-written SQL because the ORM can't do it: `bulk_create` with `ignore_conflicts` reports neither how many
# rows are new nor which, and makes a VALUES list of six parameters a row. PostgreSQL gets one array per column and
# does it in one statement: it keeps the events of the ids that it inserts. SQLite gets one JSON text, and two
# statements in a transaction, between which nobody else can write. COPY can't skip a known id; COPY into a temporary
# table and an INSERT from there took half as long again as the arrays.

NAMES = {
    "events": OutboxEvent._meta.db_table,
    "ids": MessageId._meta.db_table,
    "former": FormerOutboxEvent._meta.db_table,
    "kinds": ", ".join(f"'{letter}:'" for letter in sorted(set(LETTERS.values()))),
}
# A scalar, which PostgreSQL looks up row by row; a NOT EXISTS might be executed by reading the whole table. The first
# EXISTS runs once: nearly always the old table is empty.
NEW_TO_FORMER = "(NOT EXISTS (SELECT 1 FROM {former}) OR ({unknown}))"
UNKNOWN = "(SELECT 1 FROM {former} o WHERE o.message_id = n.id) IS NULL"
UNKNOWN_TO_03 = (
    "(substr(n.id, %s, 2) IN ({kinds}) OR "
    "(SELECT 1 FROM {former} o WHERE o.message_id = %s || substr(n.id, %s)) IS NULL)"
)
# In the same order everywhere: two requests that repeat each other's ids would otherwise deadlock.
ARRAYS = """
    WITH n AS MATERIALIZED (
        SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
        AS n (key, id, person, event, moment, said)),
    made AS (
        INSERT INTO {ids} (key, received_at) SELECT n.key, %s FROM n WHERE {is_new} ORDER BY n.key
        ON CONFLICT (key) DO NOTHING RETURNING key)
    INSERT INTO {events} (message_id, user_id, event, time, properties, received_at)
    SELECT {stored}, n.person, n.event, n.moment, n.said, %s FROM n JOIN made USING (key)
"""
JSON_EVENTS = """
    INSERT INTO {events} (message_id, user_id, event, time, properties, received_at)
    SELECT {stored}, n.person, n.event, n.moment, n.said, %s FROM (
        SELECT json_extract(value, '$[0]') AS key, json_extract(value, '$[1]') AS id,
            json_extract(value, '$[2]') AS person, json_extract(value, '$[3]') AS event,
            json_extract(value, '$[4]') AS moment, json_extract(value, '$[5]') AS said FROM json_each(%s)) AS n
    WHERE NOT EXISTS (SELECT 1 FROM {ids} i WHERE i.key = n.key) AND {is_new} ORDER BY n.id
"""
JSON_IDS = """
    INSERT INTO {ids} (key, received_at) SELECT json_extract(value, '$[0]'), %s FROM json_each(%s)
    WHERE true ON CONFLICT DO NOTHING
"""


def insert(
    rows: Mapping[str, EventRecord], *, received_at: datetime, prefix: str, source: int | None, mark: str = ""
) -> int:
    """Insert the events whose ids aren't known; returns how many.

    Args:
        rows: events by their whole message id.
        received_at: time of arrival.
        prefix: of all these ids, without the colon that follows.
        source: the sender's; an event then also counts as known if 0.3 stored it as ``{source}:{id}``, whatever the
            kind of key. An id that itself begins like a kind (``c:…``) isn't looked up there: its form of 0.3 may equal
            a client's id of today, and a client could again block a server's id. None if 0.3 wrote the same ids.
        mark: of the visitor; stored in the ids, but not compared.
    """
    if not rows:
        return 0
    begins = len(prefix) + 2  # SQL counts from 1
    known: list[Any] = [] if source is None else [begins, f"{source}:", begins]
    unknown = f"{UNKNOWN} AND {UNKNOWN_TO_03}" if known else UNKNOWN
    stored = "%s || substr(n.id, %s)" if mark else "n.id"
    marks: list[Any] = [f"{prefix}:{marked(mark)}", begins] if mark else []
    names = {**NAMES, "stored": stored, "is_new": NEW_TO_FORMER.format(unknown=unknown.format(**NAMES), **NAMES)}
    at, keys = connection.ops.adapt_datetimefield_value(received_at), keys_of(rows)
    if connection.vendor == "postgresql":
        return _run_bare(ARRAYS.format(**names), [f"{{{','.join(keys)}}}", *_arrays(rows), at, *known, *marks, at])
    listed = _json(rows, keys)
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(JSON_EVENTS.format(**names), [*marks, at, listed, *known])
        new = int(cursor.rowcount)
        cursor.execute(JSON_IDS.format(**names), [at, listed])
    return new


def _run_bare(sql: str, values: list[Any]) -> int:
    """Run a statement with server-side parameters; returns the number of inserted rows."""
    # Django inserts the values into the SQL text; sent separately, they save PostgreSQL from parsing 30 kB of SQL.
    with connection.cursor() as cursor, connection.wrap_database_errors, psycopg.Cursor(cursor.connection) as bare:
        bare.execute(sql, values)
        return bare.rowcount


def _arrays(rows: Mapping[str, EventRecord]) -> list[str]:
    """One PostgreSQL array for each column. psycopg's own writer takes three times as long."""
    people, names, moments, properties = [], [], [], []
    for record in rows.values():
        people.append(record.user_id)
        names.append(record.event)
        moments.append(record.time.isoformat())
        properties.append(record.properties)
    return [_array(texts) for texts in (rows, people, names, moments, properties)]


def _array(texts: Iterable[str]) -> str:
    return '{"' + '","'.join([text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]) + '"}'


def _json(rows: Mapping[str, EventRecord], keys: Iterable[str]) -> str:
    """All rows as JSON for SQLite."""
    moment = connection.ops.adapt_datetimefield_value
    listed: list[list[Any]] = [
        [key, name, record.user_id, record.event, moment(record.time), record.properties]
        for key, (name, record) in zip(keys, rows.items(), strict=True)
    ]
    return orjson.dumps(listed).decode()


# Accept events: when this returns, they are durable rows of the outbox.

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
    records = tombstones.drop_records(read)
    prefix = prefix_of(source_id, key_kind)
    mark = mark_of_visitor(visitor, received_at) if key_kind == "client" and records else ""
    with_traits = [record for record in records if record.traits]
    by_server = key_kind != "client"
    logins = said_in(records, by_server=by_server)
    # A single statement is a transaction by itself.
    with transaction.atomic() if with_traits or rejected or logins else nullcontext():
        new = add_to_outbox(records, prefix=prefix, received_at=received_at, source=source_id, mark=mark)
        _remember_traits(with_traits, received_at)
        if rejected:
            _quarantine(rejected, source_id, key_kind, received_at)
        if logins:
            identity.keep_said(logins, source_id=source_id, by_server=by_server, received_at=received_at)
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


def _remember_traits(records: Sequence[EventRecord], received_at: datetime) -> None:
    users = sorted({record.user_id for record in records})
    if not users:
        return
    made = [UnitTraits(user_id=user, is_user=False) for user in users]
    UnitTraits.objects.bulk_create(made, ignore_conflicts=True)
    rows = {
        row.user_id: row for row in UnitTraits.objects.select_for_update().filter(user_id__in=users).order_by("user_id")
    }
    for record in records:
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
