"""Load the rows of a backup into an empty database that has its tables, in one transaction."""

import base64
import io
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import IO, Any
from uuid import UUID

import orjson
import pyarrow as pa
from django.db import DatabaseError, connection, transaction

from insight_site.backup import archive, stored_tables
from runs.refusals import Refused

ROWS = 5_000
MOST_LINE = archive.MOST_JSON  # longest row, in bytes
Rows = Iterator[list[list[Any]]]


def load(source: IO[bytes], manifest: dict[str, Any]) -> None:
    """Create the tables and rows of the backup in the empty database, for later migrations to run on.

    Args:
        source: the backup, already verified.
        manifest: the backup's manifest.

    Raises:
        Refused: when its rows differ from its manifest, or this kind of database can't hold them.
    """
    from_where = manifest["database"]
    ran = [(app, name) for app, name in from_where["migrations"]]
    stored_tables.migrate_to(ran)
    known = {table.name: table for table in stored_tables.tables_at(ran)}
    # Also column names: they become SQL.
    made = {name: {column for column, _ in table.columns} for name, table in known.items()}
    said = {name: {column for column, _ in table["columns"]} for name, table in from_where["tables"].items()}
    other = next((name for name, columns in said.items() if made.get(name) != columns), None)
    if other:
        raise Refused("The backup holds a table that its migrations don't make: {name}.", name=other)
    into = _into_postgresql if connection.vendor == "postgresql" else _into_sqlite
    try:
        into(source, from_where, known)
    except (DatabaseError, sqlite3.Error) as error:
        reason = str(error).partition("\n")[0]
        raise Refused("This database doesn't take the rows of the backup: {reason}.", reason=reason) from error


def _into_sqlite(source: IO[bytes], said: dict[str, Any], known: dict[str, Any]) -> None:
    place = str(connection.settings_dict["NAME"])
    connection.close()
    with closing(sqlite3.connect(place, isolation_level=None)) as own:  # without foreign keys, which Django turns on
        own.execute("PRAGMA synchronous=OFF")
        own.execute("BEGIN IMMEDIATE")
        for name in known:
            own.execute(f"DELETE FROM {_quoted(name)}")
        for name, rows in _tables(source, said):
            columns = said["tables"][name]["columns"]
            marks = ", ".join("?" * len(columns))
            sql = f"INSERT INTO {_quoted(name)} ({_names(columns)}) VALUES ({marks})"
            for part in rows:
                own.executemany(sql, part)
        for name, table in said["tables"].items():
            if table["highest"]:  # 0: no key was ever assigned
                own.execute("DELETE FROM sqlite_sequence WHERE name = ?", [name])
                own.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", [name, table["highest"]])
        _compare(said, lambda name: own.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0])
        if own.execute("PRAGMA foreign_key_check").fetchone():
            raise Refused("Rows of the backup refer to others that it doesn't have.")
        own.execute("COMMIT")


def _into_postgresql(source: IO[bytes], said: dict[str, Any], known: dict[str, Any]) -> None:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(map(_quoted, known))} CASCADE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for name, rows in _tables(source, said):
            cursor.execute(f"ALTER TABLE {_quoted(name)} DISABLE TRIGGER USER")  # triggers mustn't fire for old rows
            sql = f"COPY {_quoted(name)} ({_names(said['tables'][name]['columns'])}) FROM STDIN"
            with cursor.copy(sql) as copy:
                for part in rows:
                    for row in part:
                        copy.write_row(row)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with deferred checks can't be altered
        for name in said["tables"]:
            cursor.execute(f"ALTER TABLE {_quoted(name)} ENABLE TRIGGER USER")
        for name, table in said["tables"].items():
            if table["highest"]:  # 0: no key was ever assigned
                sequence = f"pg_get_serial_sequence('{_quoted(name)}', '{known[name].key}')"
                cursor.execute(f"SELECT setval({sequence}, %s)", [table["highest"]])
        _compare(said, lambda name: _count(cursor, name))


def _count(cursor: Any, name: str) -> int:
    cursor.execute(f"SELECT count(*) FROM {_quoted(name)}")
    return int(cursor.fetchone()[0])


def _compare(said: dict[str, Any], count: Callable[[str], int]) -> None:
    for name, table in said["tables"].items():
        if (found := count(name)) != table["rows"]:
            raise Refused(
                "The table {name} has {found} rows in place of {rows}.", name=name, found=found, rows=table["rows"]
            )


def _tables(source: IO[bytes], said: dict[str, Any]) -> Iterator[tuple[str, Rows]]:
    """Each piece's table, and its rows converted for this database, in batches."""
    for path, file in archive.parts(source, "database"):
        name = path.split("/")[1]
        convert = _converters([kind for _, kind in said["tables"][name]["columns"]], said["vendor"])
        yield name, _rows(path, file, convert)


def _rows(path: str, file: IO[bytes], convert: list[tuple[int, Callable[[Any], Any]]]) -> Rows:
    part = list[list[Any]]()
    with (
        pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd") as unpacked,
        io.BufferedReader(unpacked) as all_lines,
    ):
        while line := all_lines.readline(MOST_LINE + 1):
            if len(line) > MOST_LINE:  # a few kilobytes of zstd may expand to an endless line
                raise archive.foreign(path)
            row = orjson.loads(line)
            for place, change in convert:
                if row[place] is not None:
                    row[place] = change(row[place])
            part.append(row)
            if len(part) == ROWS:
                yield part
                part = []
    yield part


def _converters(kinds: Sequence[str], vendor: str) -> list[tuple[int, Callable[[Any], Any]]]:
    """The conversion per column, where JSON or the other kind of database uses another form."""
    wanted: dict[str, Callable[[Any], Any]] = {"bytes": base64.b64decode, "real": float}
    if connection.vendor != "postgresql" and vendor == "postgresql":
        wanted |= {"moment": _moment, "uuid": lambda text: UUID(text).hex, "boolean": int}
    if connection.vendor == "postgresql":
        wanted |= {"boolean": bool}
    return [(place, wanted[kind]) for place, kind in enumerate(kinds) if kind in wanted]


def _moment(text: str) -> str:
    """Convert a timestamp from PostgreSQL's text to Django's format in SQLite."""
    return str(datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None))


def _names(columns: Sequence[Sequence[str]]) -> str:
    return ", ".join(_quoted(name) for name, _ in columns)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
