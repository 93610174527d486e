"""The only place that connects to an engine and runs an expression.

By default every process opens its own in-memory DuckDB over the store's Parquet files: a DuckDB database *file* would
lock out all other processes. `WAREHOUSE_URL` names any Ibis backend instead, with a column mapping, when the events
already lie in a warehouse. All sessions run in UTC.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction
from django.conf import settings

from events import store
from events.reasons import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

Scratch = duckdb.DuckDBPyConnection
ScratchError = duckdb.Error

COLUMNS = {
    "user_id": "string",
    "event": "string",
    "time": "timestamp",
    "properties": "string",
    "message_id": "string",
    "received_at": "timestamp",
}
REQUIRED = ("user_id", "event", "time")
UTC_COMMANDS = {
    "postgres": "SET TIME ZONE 'UTC'",
    "snowflake": "ALTER SESSION SET TIMEZONE = 'UTC'",
    "pyspark": "SET spark.sql.session.timeZone = UTC",
    "databricks": "SET TIME ZONE 'UTC'",
    "trino": "SET TIME ZONE 'UTC'",
}


@dataclass(frozen=True)
class Warehouse:
    """An open connection and the normalised event table on it.

    Attributes:
        backend: the Ibis backend; for this module and for temporary tables of tests only.
        events: ``user_id, event, time, properties, message_id, received_at``; times are naive UTC.
        dialect: the engine's name, for `queries.Basis`.
    """

    backend: Any
    events: "ir.Table"
    dialect: str

    def run(self, question: "ir.Table") -> "pd.DataFrame":
        """Run a question and bring its answer, which must be an aggregate or one row per unit, never raw events."""
        frame: pd.DataFrame = self.backend.to_pandas(question)
        return frame

    def explain(self, question: "ir.Table") -> str:
        """The SQL of a question, for people and for logs."""
        return str(ibis.to_sql(question, dialect=self.dialect))


@contextmanager
def connect() -> Iterator[Warehouse]:
    """Open the warehouse that the settings name, and close it at the end of the block.

    Raises:
        Refused: when WAREHOUSE_URL can't be opened, or its table or columns are not there.
    """
    backend = _remote(settings.WAREHOUSE_URL) if settings.WAREHOUSE_URL else _embedded()
    try:
        table = _mapped(backend) if settings.WAREHOUSE_URL else _stored(backend, store.file_uris())
        yield Warehouse(backend, table, str(backend.name))
    finally:
        backend.disconnect()


@contextmanager
def scratch(folder: Path, *, memory: str = "1GB") -> Iterator[Scratch]:
    """A DuckDB of our own for a set-based job on files (the import): bounded memory, the rest spills into `folder`."""
    connection = duckdb.connect(
        str(folder / "scratch.duckdb"), config={"memory_limit": memory, "temp_directory": str(folder / "spill")}
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar_print = false")
        yield connection
    finally:
        connection.close()


@dataclass(frozen=True)
class StoreTarget:
    """The event store at one version, open for one set-based append.

    The import reads the known ids and appends through the same handle and application id: when another import commits
    in between, Delta refuses this commit, so that two imports of one file at once can't double its rows.
    """

    handle: Any

    def files(self, dates: set[date] | None) -> list[str]:
        """The Parquet files of this version, of some dates (UTC) or of all."""
        files = [str(uri) for uri in self.handle.file_uris()]
        if dates is None:
            return files
        folders = {f"{store.PARTITION}={day.isoformat()}/" for day in dates}
        return [file for file in files if _folders(file) & folders]

    def append(self, connection: Scratch, sql: str, app_id: str, run: Callable[[str], Any]) -> int:
        """Append the rows of ``user_id, event, us, properties, message_id`` that `sql` gives, in one commit.

        Returns:
            The number of rows.

        Raises:
            Refused: when another import committed meanwhile.
        """
        connection.execute("SET TimeZone = 'UTC'")
        columns = (
            "user_id, event, make_timestamptz(us) AS time, properties, message_id, "
            f"make_timestamptz({time.time_ns() // 1000}) AS received_at, "
            f"CAST(make_timestamp(us) AS DATE) AS {store.PARTITION}"
        )
        root = Path(store.url())
        rows = run(
            f"COPY (SELECT {columns} FROM ({sql})) TO {literal(str(root))} (FORMAT parquet, "
            f"PARTITION_BY ({store.PARTITION}), APPEND, FILENAME_PATTERN 'import-{{uuid}}', RETURN_STATS)"
        )
        added = [_added(root, row) for row in rows]
        try:
            if added:
                self._commit([action for action, _ in added], app_id)
        except CommitFailedError as error:
            for row in rows:
                Path(row[0]).unlink(missing_ok=True)
            raise Refused("Another import wrote to the event store meanwhile; run this one again.") from error
        return sum(count for _, count in added)

    def _commit(self, actions: list[AddAction], app_id: str) -> None:
        version = int(self.handle.transaction_version(app_id) or 0) + 1
        for action in actions:  # the commit may only name files that the disk has
            _force(Path(store.url()) / action.path)
        self.handle.create_write_transaction(
            actions,
            "append",
            self.handle.schema(),
            [store.PARTITION],
            commit_properties=CommitProperties(app_transactions=[Transaction(app_id, version)]),
        )
        _force(Path(store.url()) / "_delta_log" / f"{self.handle.version():020d}.json")


@contextmanager
def open_store() -> Iterator[StoreTarget]:
    """Open the store for an import, and make it when there is none.

    Raises:
        Refused: when the store lies in an object store: imports need a folder.
    """
    if "://" in store.url():
        raise Refused("EVENTS_URL is an object store; import_events writes to a folder. Import there, then copy.")
    Path(store.url()).mkdir(parents=True, exist_ok=True)
    DeltaTable.create(
        store.url(),
        store.SCHEMA,
        partition_by=[store.PARTITION],
        mode="ignore",
        name="events",
        configuration=store.CONFIGURATION,
    )
    yield StoreTarget(DeltaTable(store.url()))


def mapping(text: str) -> dict[str, str]:
    """Read WAREHOUSE_COLUMNS, for example ``user_id=uid,event=name,time=ts``: our column = the warehouse's column."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    found = {ours.strip(): theirs.strip() for ours, _, theirs in pairs}
    unknown = [ours for ours, theirs in found.items() if ours not in COLUMNS or not theirs]
    if unknown or len(found) != len(pairs):
        raise Refused(
            f"WAREHOUSE_COLUMNS: write our column = your column, each once, separated by commas; "
            f"our columns are {', '.join(COLUMNS)}."
        )
    return found


def _embedded() -> Any:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    backend.raw_sql("SET enable_progress_bar_print = false")
    return backend


def _remote(address: str) -> Any:
    try:
        backend = ibis.connect(address)
    except Exception as error:  # every driver has its own exceptions, and the reader needs one sentence
        raise Refused(f"WAREHOUSE_URL can't be opened ({type(error).__name__}).") from error
    command = UTC_COMMANDS.get(str(backend.name))
    if command:
        backend.raw_sql(command)
    elif backend.name == "duckdb":
        backend.raw_sql("SET TimeZone = 'UTC'")
    return backend


def _stored(backend: Any, files: list[str]) -> "ir.Table":
    if not files:
        return ibis.memtable([], schema=COLUMNS)
    paths = [os.fspath(file) for file in files]
    backend.raw_sql(
        "CREATE TEMP VIEW stored AS SELECT user_id, event, make_timestamp(epoch_us(time)) AS time, properties, "
        "message_id, make_timestamp(epoch_us(received_at)) AS received_at FROM read_parquet("
        f"[{', '.join(literal(path) for path in paths)}], hive_partitioning = true)"
    )
    return backend.table("stored")


def _mapped(backend: Any) -> "ir.Table":
    name = settings.WAREHOUSE_TABLE
    columns = {ours: ours for ours in COLUMNS} | mapping(settings.WAREHOUSE_COLUMNS)
    try:
        *place, short = name.split(".")
        table = backend.table(short, database=tuple(place) if len(place) > 1 else (place[0] if place else None))
    except Exception as error:
        raise Refused(f"WAREHOUSE_TABLE: there is no table {name} ({type(error).__name__}).") from error
    missing = [columns[ours] for ours in REQUIRED if columns[ours] not in table.columns]
    if missing:
        raise Refused(
            f"WAREHOUSE_COLUMNS: the table {name} has no column {', '.join(missing)}; "
            f"its columns are {', '.join(table.columns)}."
        )
    return table.select(**{ours: _column(table, columns[ours], kind) for ours, kind in COLUMNS.items()})


def _column(table: "ir.Table", name: str, kind: str) -> Any:
    if name not in table.columns:
        return ibis.null(kind)
    return table[name].cast(kind)


def _added(root: Path, row: tuple[Any, ...]) -> tuple[AddAction, int]:
    """One written file as Delta's log wants it, and its number of rows."""
    file, count, size, _, statistics, partition = row
    moments = statistics['"time"']
    low, high = (str(moments[end]).replace(" ", "T").replace("+00", "Z") for end in ("min", "max"))
    stats = json.dumps({"numRecords": count, "minValues": {"time": low}, "maxValues": {"time": high}})
    path = Path(file).relative_to(root).as_posix()
    return AddAction(path, size, dict(partition), int(time.time() * 1000), True, stats), int(count)


def _folders(file: str) -> set[str]:
    return {f"{part}/" for part in file.split("/")}


def _force(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def settings_as_mapping() -> Mapping[str, str]:
    """The warehouse settings, to be stored with a run (the address itself may hold a password and is left out)."""
    return {"table": settings.WAREHOUSE_TABLE, "columns": settings.WAREHOUSE_COLUMNS}
