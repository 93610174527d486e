"""What a flush writes: the rows of a batch as the store's columns, and which ids count as which."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import batched
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from django.db import connection
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast, Length

from events.models import Flush, IdLink, OutboxEvent
from events.people.identity import roots_of
from events.store import dictionary, event_table, ownership
from events.store.ownership import rows_of
from events.store.snapshot import Snapshot, add_to_dictionary

# After a flush, write the links between ids to the event store; the database decides which links hold.

LINKS_AT_ONCE = 20_000
IDS_AT_ONCE = 50_000
BATCH = 500


def write_links() -> int:
    """Write links that the store doesn't have yet; returns how many ids now count as another one, or no longer do.

    If the process is killed, the next call continues; links that the store already has aren't written again.

    Raises:
        ownership.StoreRefused: when the store is damaged or not this database's.
    """
    done = 0
    while waiting := list(IdLink.objects.filter(in_store=False).order_by("id")[:LINKS_AT_ONCE]):
        if not event_table.exists():
            return done
        ownership.check_to_write()
        done += count_as(roots_of({row.visitor for row in waiting}))
        for some in batched(waiting, BATCH):
            for state in {row.state for row in some}:  # a link that changes meanwhile is written again
                same = [row.pk for row in some if row.state == state]
                IdLink.objects.filter(pk__in=same, state=state).update(in_store=True)
    return done


def count_as(roots: Mapping[str, str]) -> int:
    """Let each id's events count as another's, including later ones; returns how many entries were new.

    An id that the store doesn't know gets a number, so that its later events count at once. Readers look up once and
    follow no chain: map each id directly to the one that all of them count as.

    Args:
        roots: for each id the one it counts as; itself, to undo a join.
    """
    listed, done = sorted(roots.items()), 0
    for start in range(0, len(listed), IDS_AT_ONCE):
        some, counts = dict(listed[start : start + IDS_AT_ONCE]), [0]

        def make(at: Snapshot, some: Mapping[str, str] = some, counts: list[int] = counts) -> pa.Table | None:
            made, counts[0] = _entries(at, some)
            return made

        done += counts[0] if add_to_dictionary(make) else 0
    return done


def _entries(at: Snapshot, roots: Mapping[str, str]) -> tuple[pa.Table | None, int]:
    """The entries to write, and how many of them belong to joined ids."""
    texts = pa.array(sorted({*roots, *roots.values()}), pa.string())
    now = datetime.now(UTC)
    numbers = dictionary.numbers_of(texts, at.opened_dictionary())
    new = np.flatnonzero(numbers == 0)
    numbers[new] = at.highest() + 1 + np.arange(new.size)
    number = dict(zip(texts.to_pylist(), numbers.tolist(), strict=True))
    stored = dictionary.joins_of(at.opened_dictionary(joins=True))
    goes = [
        (name, number[name], number[root])
        for name, root in sorted(roots.items())
        if stored.get(number[name], number[name]) != number[root]
    ]
    if not goes:
        return None, 0
    used = {name for name, _own, _into in goes} | {roots[name] for name, _own, _into in goes}
    fresh = [place for place in new.tolist() if texts[place].as_py() in used]
    users = dictionary.entries(texts.take(pa.array(fresh, pa.int64())), numbers[fresh], now)
    joins = dictionary.join_entries([g[0] for g in goes], [g[1] for g in goes], [g[2] for g in goes], now)
    return pa.concat_tables([users, joins]), len(goes)


# Rows of the outbox: choose those of a batch, and convert the batch to the store's columns.
#
# A batch names its rows by ranges of ids, so that sealing it writes one row and not each of them. The ranges hold the
# ids that were *seen*: a request with a lower id may be committed later, and its events then belong to no batch until
# the next one sees them.
#
# On PostgreSQL each column is read as one value, all texts concatenated with their lengths; Arrow uses these bytes
# unchanged. Row by row through Python took four times as long.

Ids = np.ndarray[Any, np.dtype[np.int64]]
COLUMNS = ("user_id", "event", "time", "properties", "message_id", "received_at")
TEXTS = ("user_id", "event", "properties", "message_id")
MOMENTS = ("time", "received_at")
MOST_RANGES = 400  # SQLite takes no more than 1,000 conditions
EPOCH = 946_684_800_000_000  # PostgreSQL counts microseconds since 2000
# The years 1 to 9999, in microseconds since 2000. PostgreSQL's 'infinity' would become an invalid year.
FIRST_MOMENT, LAST_MOMENT = -63_082_281_600_000_000, 252_455_615_999_999_999
WAITING = (
    "SELECT string_agg(int8send(id), ''), string_agg(int4send(octet_length(properties)), '') "
    "FROM (SELECT id, properties FROM {table} ORDER BY id LIMIT %s) AS taken"
)
WHOLE = "SELECT {columns} FROM (SELECT * FROM {table} WHERE id BETWEEN %s AND %s ORDER BY id) AS taken"
TEXT = "convert_to(string_agg({name}, ''), 'UTF8'), string_agg(int4send(octet_length({name})), '')"
MOMENT = "string_agg(timestamptz_send({name}), '')"
PARTS = ["string_agg(int8send(id), '')", *(TEXT.format(name=name) for name in TEXTS)]
PARTS += [MOMENT.format(name=name) for name in MOMENTS]


def waiting(most: int, chars: int) -> tuple[Ids, bool]:
    """The ids of the first waiting rows, and whether there are no others.

    Args:
        most: rows at most.
        chars: characters of their properties at most (on PostgreSQL bytes); one row is always taken.
    """
    if connection.vendor == "postgresql":
        arrays = _one(WAITING, [most])
        ids, lengths = _numbers(arrays[0], ">i8"), _numbers(arrays[1], ">i4")
    else:
        rows = list(OutboxEvent.objects.order_by("id").values_list("id", Length("properties"))[:most])
        ids, lengths = (np.array([row[part] for row in rows], np.int64) for part in (0, 1))
    fitting = max(1, int(np.searchsorted(np.cumsum(lengths), chars, side="right")))
    starts = np.flatnonzero(np.diff(ids[:fitting]) != 1) + 1
    taken = ids[: int(starts[MOST_RANGES - 1]) if len(starts) >= MOST_RANGES else fitting]
    return taken, len(taken) == len(ids) < most


def ranges_of(ids: Ids) -> list[list[int]]:
    """Ascending ids as [first, last] of each gapless run."""
    if not len(ids):
        return []
    breaks = np.flatnonzero(np.diff(ids) != 1)
    firsts, lasts = ids[np.append(0, breaks + 1)], ids[np.append(breaks, len(ids) - 1)]
    return [[int(first), int(last)] for first, last in zip(firsts, lasts, strict=True)]


def table_of_batch(batch: Flush) -> pa.Table:
    """The rows of a batch in order of arrival, as the store's columns."""
    if batch.ranges and connection.vendor == "postgresql":
        return _columns(batch.ranges)
    return table_of(rows_of(batch))


def table_of(rows: QuerySet[Any]) -> pa.Table:
    """Rows of either outbox table in order of arrival, as the store's columns."""
    if connection.vendor != "sqlite":
        return to_table(rows.order_by("id").values_list(*COLUMNS))
    # SQLite stores moments as text. Arrow parses a column of them in less time than Django needs for a few rows.
    columns = [Cast(name, TextField()) if name in MOMENTS else name for name in COLUMNS]
    return to_table(rows.order_by("id").values_list(*columns))


def to_table(rows: Iterable[tuple[object, ...]]) -> pa.Table:
    """Rows of (user_id, event, time, properties, message_id, received_at) as the store's columns."""
    fields = _fields()
    columns = list(zip(*rows, strict=True)) or [() for _ in fields]
    arrays = [_array(values, field.type) for values, field in zip(columns, fields, strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _array(values: tuple[object, ...], kind: pa.DataType) -> pa.Array:
    """A column of values; moments may be texts without a zone, which are UTC."""
    if pa.types.is_timestamp(kind) and values and isinstance(values[0], str):
        return pa.array(values, pa.string()).cast(pa.timestamp(kind.unit)).cast(kind)
    return pa.array(values, type=kind)


def _fields() -> list[pa.Field]:
    return [field for field in event_table.SCHEMA if field.name != event_table.PARTITION]


def _columns(ranges: list[list[int]]) -> pa.Table:
    parts = list(_one(WHOLE, [ranges[0][0], ranges[-1][1]]))
    ids = _numbers(parts.pop(0), ">i8")
    made: dict[str, pa.Array] = {}
    for name in TEXTS:
        text, lengths = parts.pop(0) or b"", _numbers(parts.pop(0), ">i4")
        offsets = np.append(0, np.cumsum(lengths)).astype(np.int32)
        made[name] = pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(text))
    for name in MOMENTS:
        moments = _numbers(parts.pop(0), ">i8")
        if moments.size and not FIRST_MOMENT <= moments.min() <= moments.max() <= LAST_MOMENT:
            raise ValueError(f"a moment in {name} lies beyond the calendar")
        made[name] = _arrow(moments + EPOCH, pa.timestamp("us", tz="UTC"))
    table = pa.Table.from_arrays([made[field.name] for field in _fields()], schema=pa.schema(_fields()))
    firsts, lasts = np.array(ranges, np.int64).T
    ours = ids <= lasts[np.searchsorted(firsts, ids, side="right") - 1]  # without later commits
    places = np.flatnonzero(ours)[np.argsort(ids[ours], kind="stable")]
    return table if len(places) == len(ids) and (np.diff(places) > 0).all() else table.take(_arrow(places, pa.int64()))


def _arrow(numbers: Ids, kind: pa.DataType) -> pa.Array:
    """Wrap a NumPy buffer; `pa.array` would import pandas, which takes longer than a flush."""
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(np.ascontiguousarray(numbers, np.int64))])


def _numbers(value: bytes | None, kind: str) -> Ids:
    return np.frombuffer(value or b"", dtype=kind).astype(np.int64)


def _one(sql: str, values: list[Any]) -> tuple[Any, ...]:
    """The single result row of a query on the outbox, with PostgreSQL's columns."""
    sql = sql.format(table=OutboxEvent._meta.db_table, columns=", ".join(PARTS))
    with connection.cursor() as cursor, connection.wrap_database_errors, psycopg.Cursor(cursor.connection) as bare:
        row: tuple[Any, ...] = bare.execute(sql, values, binary=True).fetchall()[0]
        return row
