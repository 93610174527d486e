"""Read all rows of the database as of one instant, piece by piece, while others go on writing.

SQLite: a read transaction on a separate connection; its instant is its first query, and it blocks nobody (the
write-ahead log grows meanwhile). PostgreSQL: REPEATABLE READ. Both give the rows as JSON lists in the same format.
"""

import base64
import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from django.db import connection, transaction

from events.models import Flush
from insight_site.backup.stored_tables import StoredTable

ROWS = 5_000
PIECE = 4 * 1024 * 1024  # bytes of JSON that are compressed together
# Measured on rows of message ids: level 1 packs to 28 % at 90 MB/s, level 6 to 34 % at 40, gzip's 6 to 36 % at 17.
LEVEL = 1
AS_TEXT = {"moment": "{}::text", "date": "{}::text", "json": "{}::text", "uuid": "{}::text", "address": "host({})"}


@dataclass(frozen=True)
class DatabaseSnapshot:
    """The database at one instant.

    Attributes:
        ask: runs a query and yields its rows in lists.
    """

    ask: Callable[[str], Iterator[Sequence[tuple[Any, ...]]]]

    def first(self, sql: str) -> tuple[Any, ...] | None:
        """The first row of a query."""
        return next((row for rows in self.ask(sql) for row in rows), None)

    def batches(self) -> tuple[str, int, int]:
        """The writer that numbers event batches, the last batch committed to the store, and the last batch of all."""
        table = _quoted(Flush._meta.db_table)
        sql = f"SELECT version, writer, committed_at FROM {table} ORDER BY version DESC LIMIT 2"
        rows = [row for part in self.ask(sql) for row in part]
        if not rows:
            return "", 0, 0
        done = [version for version, _, committed_at in rows if committed_at is not None]
        return rows[0][1], done[0] if done else 0, rows[0][0]

    def pieces(self, table: StoredTable) -> Iterator[tuple[bytes, int]]:
        """All rows of a table, by key: pieces of compressed JSON, one list per line, each with its number of rows."""
        kinds = [kind for _, kind in table.columns]
        columns = ", ".join(_expression(name, kind) for name, kind in table.columns)
        order = f" ORDER BY {_quoted(table.key)}"
        lines, size = list[bytes](), 0
        for rows in self.ask(f"SELECT {columns} FROM {_quoted(table.name)}{order}"):
            for row in _written(rows, kinds):
                line = orjson.dumps(row)
                lines.append(line)
                size += len(line)
                if size >= PIECE:
                    yield _packed(lines), len(lines)
                    lines, size = [], 0
        if lines:
            yield _packed(lines), len(lines)

    def highest_key(self, table: StoredTable) -> int | None:
        """The highest key that the database ever assigned in a table, even if its row was deleted."""
        if not table.counts:
            return None
        if connection.vendor == "postgresql":
            found = self.first(f"SELECT pg_get_serial_sequence('{_quoted(table.name)}', '{table.key}')")
            found = self.first(f"SELECT last_value FROM {found[0]} WHERE is_called") if found and found[0] else None
        else:
            found = self.first(f"SELECT seq FROM sqlite_sequence WHERE name = '{table.name}'")
        return int(found[0]) if found else None


@contextmanager
def snapshot() -> Iterator[DatabaseSnapshot]:
    """Open a snapshot of the database as of the beginning of the block."""
    with _postgresql() if connection.vendor == "postgresql" else _sqlite() as ask:
        found = DatabaseSnapshot(ask)
        found.batches()  # SQLite's snapshot starts with the first query
        yield found


@contextmanager
def _sqlite() -> Iterator[Callable[[str], Iterator[Sequence[tuple[Any, ...]]]]]:
    place = Path(str(connection.settings_dict["NAME"])).resolve()
    own = sqlite3.connect(f"{place.as_uri()}?mode=ro", uri=True, isolation_level=None)
    with closing(own):
        own.execute("BEGIN")

        def ask(sql: str) -> Iterator[Sequence[tuple[Any, ...]]]:
            with closing(own.execute(sql)) as cursor:
                while rows := cursor.fetchmany(ROWS):
                    yield rows

        yield ask


@contextmanager
def _postgresql() -> Iterator[Callable[[str], Iterator[Sequence[tuple[Any, ...]]]]]:
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

        def ask(sql: str) -> Iterator[Sequence[tuple[Any, ...]]]:
            with connection.chunked_cursor() as rows:
                rows.execute(sql)
                while part := rows.fetchmany(ROWS):
                    yield part

        yield ask


def _expression(name: str, kind: str) -> str:
    if connection.vendor != "postgresql":
        return _quoted(name)
    return AS_TEXT.get(kind, "{}").format(_quoted(name))


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _written(rows: Sequence[tuple[Any, ...]], kinds: list[str]) -> Iterator[Sequence[Any]]:
    """Convert values that JSON can't represent to text."""
    bare = [place for place, kind in enumerate(kinds) if kind in ("bytes", "real")]
    for row in rows:
        if not bare:
            yield row
            continue
        changed = list(row)
        for place in bare:
            changed[place] = _as_json(row[place])
        yield changed


def _as_json(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return base64.b64encode(bytes(value)).decode() if isinstance(value, bytes | memoryview) else value


def _packed(lines: list[bytes]) -> bytes:
    packed: bytes = pa.Codec("zstd", compression_level=LEVEL).compress(b"\n".join(lines) + b"\n", asbytes=True)
    return packed
