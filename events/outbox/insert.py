"""Rows into the outbox: one statement for a whole batch, which also tells new message ids from known ones.

It is written by hand because the ORM can't say it: its `bulk_create` with `ignore_conflicts` tells neither how many
rows are new nor whether version 0.3 kept an id, and makes a VALUES list of six parameters a row. PostgreSQL gets one
array for each column, SQLite one JSON text; both take them in less than half the processor time of such a list. COPY
can't skip a known id; COPY into a temporary table and on from there took half as long again as the arrays.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
import psycopg
from django.db import connection

from events.models import OutboxEvent
from events.schema import EventRecord
from events.senders import LETTERS

# In one order everywhere: two requests that repeat each other's ids would otherwise lock each other out.
INSERT = (
    "INSERT INTO {table} (message_id, user_id, event, time, properties, received_at) "
    "SELECT n.id, n.person, n.event, n.moment, n.said, %s FROM {rows} WHERE {is_new} ORDER BY {order} "
    "ON CONFLICT (message_id) DO NOTHING"
)
# A scalar, which PostgreSQL looks up row by row; NOT EXISTS it may answer by reading the whole outbox.
UNKNOWN_TO_03 = (
    "(substr(n.id, %s, 2) IN ({kinds}) OR "
    "(SELECT 1 FROM {table} o WHERE o.message_id = %s || substr(n.id, %s)) IS NULL)"
)
ARRAYS = (
    "unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[]) AS n (id, person, event, moment, said)"
)
JSON = (
    "(SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS person, json_extract(value, '$[2]') "
    "AS event, json_extract(value, '$[3]') AS moment, json_extract(value, '$[4]') AS said FROM json_each(%s)) AS n"
)


def insert(rows: Mapping[str, EventRecord], *, received_at: datetime, prefix: str, source: int | None) -> int:
    """Insert the events whose ids aren't there yet; how many those are.

    Args:
        rows: events by their whole message id.
        received_at: time of arrival.
        prefix: of all these ids, without the colon that follows.
        source: the sender's; an event is then also known when 0.3 kept it as ``{source}:{id}``, whatever the kind of
            key. An id that itself begins like a kind (``c:…``) can't be looked up: what reads as 0.3's id of it may be
            a client's id of today, and a client could take a server's id again. None where 0.3 wrote the same ids.
    """
    if not rows:
        return 0
    is_postgresql = connection.vendor == "postgresql"
    table, kinds = OutboxEvent._meta.db_table, ", ".join(f"'{letter}:'" for letter in sorted(set(LETTERS.values())))
    begins = len(prefix) + 2  # SQL counts from 1
    known = [] if source is None else [begins, f"{source}:", begins]
    sql = INSERT.format(
        table=table,
        rows=ARRAYS if is_postgresql else JSON,
        is_new=UNKNOWN_TO_03.format(kinds=kinds, table=table) if known else "true",
        order='n.id COLLATE "C"' if is_postgresql else "n.id",
    )
    values = _arrays(rows) if is_postgresql else [_json(rows)]
    with connection.cursor() as cursor:
        return _run(cursor, sql, [connection.ops.adapt_datetimefield_value(received_at), *values, *known])


def _run(cursor: Any, sql: str, values: list[Any]) -> int:
    """The number of rows that the statement made."""
    if connection.vendor != "postgresql":
        cursor.execute(sql, values)
        return int(cursor.rowcount)
    # Django writes values into the statement's text; sent beside it, PostgreSQL needs not read 30 kB of SQL.
    with connection.wrap_database_errors, psycopg.Cursor(cursor.connection) as bare:
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


def _json(rows: Mapping[str, EventRecord]) -> str:
    """All rows as SQLite reads them."""
    moment = connection.ops.adapt_datetimefield_value
    listed: list[list[Any]] = [
        [key, record.user_id, record.event, moment(record.time), record.properties] for key, record in rows.items()
    ]
    return orjson.dumps(listed).decode()
