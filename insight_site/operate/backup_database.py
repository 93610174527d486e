"""The rows of the whole database as they were at one instant, and such rows into an empty database."""

import base64
import io
import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import orjson
import pyarrow as pa
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.models import Field, Model

from events.models import Flush
from insight_site.operate import backup_files
from runs.refusals import Refused

# The tables of a database according to its applied migrations, so that a later version can read the backup.
#
# Tables come from the state of the migrations, not from today's models: an older database has other columns. Tables
# of apps that aren't installed any more are left out.

Node = tuple[str, str]
KINDS = {
    **dict.fromkeys(("AutoField", "BigAutoField", "SmallAutoField", "IntegerField", "BigIntegerField"), "integer"),
    **dict.fromkeys(("SmallIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField"), "integer"),
    **dict.fromkeys(("PositiveBigIntegerField",), "integer"),
    **dict.fromkeys(("CharField", "TextField", "SlugField", "URLField", "EmailField", "FileField"), "text"),
    "BooleanField": "boolean",
    "FloatField": "real",
    "DateTimeField": "moment",
    "DateField": "date",
    "JSONField": "json",
    "UUIDField": "uuid",
    "BinaryField": "bytes",
    "GenericIPAddressField": "address",
}


@dataclass(frozen=True)
class StoredTable:
    """One table.

    Attributes:
        name: table name.
        columns: name and kind (a value of `KINDS`) of each.
        key: primary key column.
        counts: the database assigns the key.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    key: str
    counts: bool

    def as_json(self) -> dict[str, Any]:
        """As JSON, for the manifest."""
        return asdict(self)


def applied_migrations() -> list[Node]:
    """The applied migrations of installed apps.

    Raises:
        Refused: when this version doesn't know one of them.
    """
    loader = MigrationLoader(connection)
    ran = {node for node in loader.applied_migrations if node[0] in loader.migrated_apps}
    _refuse_newer(ran - _stored_tables_names(loader), "database")
    return sorted(ran)


def tables_at(migrations: list[Node]) -> list[StoredTable]:
    """The tables of a database with these migrations, by name."""
    loader, nodes = _known(migrations)
    state = loader.project_state(nodes, at_end=True)
    models = state.apps.get_models(include_auto_created=True)
    tables = [_table(model) for model in models if model._meta.managed and not model._meta.proxy]
    return sorted(tables, key=lambda table: table.name)


def migrate_to(migrations: list[Node]) -> None:
    """Create in an empty database the tables of one with these migrations."""
    loader, nodes = _known(migrations)
    executor = MigrationExecutor(connection)
    executor.loader = loader
    last = [node for node in nodes if not _later(loader, node) & set(nodes)]  # earlier migrations are applied with them
    executor.migrate(last)


def _later(loader: MigrationLoader, node: Node) -> set[Node]:
    """The next migrations of the same app."""
    return {child.key for child in loader.graph.node_map[node].children if child.key[0] == node[0]}


def _known(migrations: list[Node]) -> tuple[MigrationLoader, list[Node]]:
    """A loader with this version's migrations, and those of them that give an empty database the same tables.

    Raises:
        Refused: when this version doesn't know one of them.
    """
    loader = MigrationLoader(None)
    ran = {(app, name) for app, name in migrations if app in loader.migrated_apps}
    _refuse_newer(ran - _stored_tables_names(loader), "backup")
    whole = {node for node, squash in loader.replacements.items() if ran.issuperset(squash.replaces) or node in ran}
    replaced = {step for node in whole for step in loader.replacements[node].replaces}
    nodes = (ran - replaced) | whole
    if half := nodes - loader.disk_migrations.keys():
        raise Refused(
            "The backup was made between two releases, after the migration {name}: restore it with that version.",
            name=".".join(max(half)),
        )
    return loader, sorted(nodes)


def _stored_tables_names(loader: MigrationLoader) -> set[Node]:
    """This version's migrations, and those that they replace."""
    return loader.disk_migrations.keys() | {step for squash in loader.replacements.values() for step in squash.replaces}


def _refuse_newer(unknown: set[Node], what: str) -> None:
    if not unknown:
        return
    name = ".".join(min(unknown))
    if what == "backup":
        raise Refused(
            "The backup is of a newer Insight, whose migration {name} isn't here: restore it with that.", name=name
        )
    raise Refused("The database ran the migration {name} of a newer Insight: back it up with that.", name=name)


def _table(model: type[Model]) -> StoredTable:
    meta = model._meta
    columns = tuple((str(field.column), _kind(field)) for field in meta.concrete_fields)
    counts = meta.pk.get_internal_type().endswith("AutoField")
    return StoredTable(meta.db_table, columns, str(meta.pk.column), counts)


def _kind(field: Any) -> str:
    while field.remote_field:
        field = field.target_field
    own: Field[Any, Any] = field
    return KINDS[own.get_internal_type()]


# Read all rows of the database as of one instant, piece by piece, while others go on writing.
#
# SQLite: a read transaction on a separate connection; its instant is its first query, and it blocks nobody (the
# write-ahead log grows meanwhile). PostgreSQL: REPEATABLE READ. Both give the rows as JSON lists in the same format.

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
            row = self.first(f"SELECT pg_get_serial_sequence('{_quoted(table.name)}', '{table.key}')")
            row = self.first(f"SELECT last_value FROM {row[0]} WHERE is_called") if row and row[0] else None
        else:
            row = self.first(f"SELECT seq FROM sqlite_sequence WHERE name = '{table.name}'")
        return int(row[0]) if row else None


@contextmanager
def snapshot() -> Iterator[DatabaseSnapshot]:
    """Open a snapshot of the database as of the beginning of the block."""
    with _postgresql() if connection.vendor == "postgresql" else _sqlite() as ask:
        database = DatabaseSnapshot(ask)
        database.batches()  # SQLite's snapshot starts with the first query
        yield database


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


# Load the rows of a backup into an empty database that has its tables, in one transaction.
MOST_LINE = backup_files.MOST_JSON  # longest row, in bytes
Rows = Iterator[list[list[Any]]]


def load(source: IO[bytes], manifest: dict[str, Any]) -> None:
    """Create the tables and rows of the backup in the empty database, for later migrations to run on.

    Args:
        source: the backup, already verified.
        manifest: the backup's manifest.

    Raises:
        Refused: when its rows differ from its manifest, or this kind of database can't hold them.
    """
    database = manifest["database"]
    ran = [(app, name) for app, name in database["migrations"]]
    migrate_to(ran)
    known = {table.name: table for table in tables_at(ran)}
    # Also column names: they become SQL.
    made = {name: {column for column, _ in table.columns} for name, table in known.items()}
    stored = {name: {column for column, _ in table["columns"]} for name, table in database["tables"].items()}
    other = next((name for name, columns in stored.items() if made.get(name) != columns), None)
    if other:
        raise Refused("The backup holds a table that its migrations don't make: {name}.", name=other)
    into = _into_postgresql if connection.vendor == "postgresql" else _into_sqlite
    try:
        into(source, database, known)
    except (DatabaseError, sqlite3.Error) as error:
        reason = str(error).partition("\n")[0]
        raise Refused("This database doesn't take the rows of the backup: {reason}.", reason=reason) from error


def _into_sqlite(source: IO[bytes], database: dict[str, Any], known: dict[str, Any]) -> None:
    place = str(connection.settings_dict["NAME"])
    connection.close()
    with closing(sqlite3.connect(place, isolation_level=None)) as own:  # without foreign keys, which Django turns on
        own.execute("PRAGMA synchronous=OFF")
        own.execute("BEGIN IMMEDIATE")
        for name in known:
            own.execute(f"DELETE FROM {_quoted(name)}")
        for name, rows in _tables(source, database):
            columns = database["tables"][name]["columns"]
            marks = ", ".join("?" * len(columns))
            sql = f"INSERT INTO {_quoted(name)} ({_database_load_names(columns)}) VALUES ({marks})"
            for part in rows:
                own.executemany(sql, part)
        for name, table in database["tables"].items():
            if table["highest"]:  # 0: no key was ever assigned
                own.execute("DELETE FROM sqlite_sequence WHERE name = ?", [name])
                own.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", [name, table["highest"]])
        _compare(database, lambda name: own.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0])
        if own.execute("PRAGMA foreign_key_check").fetchone():
            raise Refused("Rows of the backup refer to others that it doesn't have.")
        own.execute("COMMIT")


def _into_postgresql(source: IO[bytes], database: dict[str, Any], known: dict[str, Any]) -> None:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(map(_quoted, known))} CASCADE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for name, rows in _tables(source, database):
            cursor.execute(f"ALTER TABLE {_quoted(name)} DISABLE TRIGGER USER")  # triggers mustn't fire for old rows
            sql = f"COPY {_quoted(name)} ({_database_load_names(database['tables'][name]['columns'])}) FROM STDIN"
            with cursor.copy(sql) as copy:
                for part in rows:
                    for row in part:
                        copy.write_row(row)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with deferred checks can't be altered
        for name in database["tables"]:
            cursor.execute(f"ALTER TABLE {_quoted(name)} ENABLE TRIGGER USER")
        for name, table in database["tables"].items():
            if table["highest"]:  # 0: no key was ever assigned
                sequence = f"pg_get_serial_sequence('{_quoted(name)}', '{known[name].key}')"
                cursor.execute(f"SELECT setval({sequence}, %s)", [table["highest"]])
        _compare(database, lambda name: _count(cursor, name))


def _count(cursor: Any, name: str) -> int:
    cursor.execute(f"SELECT count(*) FROM {_quoted(name)}")
    return int(cursor.fetchone()[0])


def _compare(database: dict[str, Any], count: Callable[[str], int]) -> None:
    for name, table in database["tables"].items():
        if (number := count(name)) != table["rows"]:
            raise Refused(
                "The table {name} has {found} rows in place of {rows}.", name=name, found=number, rows=table["rows"]
            )


def _tables(source: IO[bytes], database: dict[str, Any]) -> Iterator[tuple[str, Rows]]:
    """Each piece's table, and its rows converted for this database, in batches."""
    for path, file in backup_files.parts(source, "database"):
        name = path.split("/")[1]
        convert = _converters([kind for _, kind in database["tables"][name]["columns"]], database["vendor"])
        yield name, _rows(path, file, convert)


def _rows(path: str, file: IO[bytes], convert: list[tuple[int, Callable[[Any], Any]]]) -> Rows:
    part = list[list[Any]]()
    with (
        pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd") as unpacked,
        io.BufferedReader(unpacked) as all_lines,
    ):
        while line := all_lines.readline(MOST_LINE + 1):
            if len(line) > MOST_LINE:  # a few kilobytes of zstd may expand to an endless line
                raise backup_files.foreign(path)
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


def _database_load_names(columns: Sequence[Sequence[str]]) -> str:
    return ", ".join(_quoted(name) for name, _ in columns)
