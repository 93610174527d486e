"""Insert rows into the outbox: one statement for a whole batch, which also separates new message ids from known ones.

It is hand-written SQL because the ORM can't do it: `bulk_create` with `ignore_conflicts` reports neither how many rows
are new nor which, and makes a VALUES list of six parameters a row. PostgreSQL gets one array per column and does it in
one statement: it keeps the events of the ids that it inserts. SQLite gets one JSON text, and two statements in a
transaction, between which nobody else can write. COPY can't skip a known id; COPY into a temporary table and an INSERT
from there took half as long again as the arrays.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
import psycopg
from django.db import connection, transaction

from events.models import FormerOutboxEvent, MessageId, OutboxEvent
from events.outbox.message_ids import keys_of
from events.schema import EventRecord
from events.senders import LETTERS, marked

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
    told: list[Any] = [f"{prefix}:{marked(mark)}", begins] if mark else []
    names = {**NAMES, "stored": stored, "is_new": NEW_TO_FORMER.format(unknown=unknown.format(**NAMES), **NAMES)}
    at, keys = connection.ops.adapt_datetimefield_value(received_at), keys_of(rows)
    if connection.vendor == "postgresql":
        return _run_bare(ARRAYS.format(**names), [f"{{{','.join(keys)}}}", *_arrays(rows), at, *known, *told, at])
    listed = _json(rows, keys)
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(JSON_EVENTS.format(**names), [*told, at, listed, *known])
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
    people, names, moments, said = [], [], [], []
    for record in rows.values():
        people.append(record.user_id)
        names.append(record.event)
        moments.append(record.time.isoformat())
        said.append(record.properties)
    return [_array(texts) for texts in (rows, people, names, moments, said)]


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
