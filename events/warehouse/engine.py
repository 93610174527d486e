"""The only place that connects to an engine and runs an expression.

By default every process opens its own in-memory DuckDB over the store's Parquet files: a DuckDB database *file* would
lock out all other processes. `WAREHOUSE_URL` names any Ibis backend instead, with a column mapping, when the events
already lie in a warehouse. All sessions run in UTC.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock, Timer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from django.conf import settings

from events.store import dictionary, event_table, object_store, ownership
from events.store.snapshot import Snapshot, StoreFiles, files_at
from events.warehouse import bytes_read, clickhouse, iceberg, mapping
from events.warehouse.columns import COLUMNS, OWN, PART_DATE, PART_DAY, PART_TIME, TEXT, Users
from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd
    import pyarrow as pa
    from sqlglot import exp


# Run a query with an SQL metric: on a connection without files, network and settings, and with a time limit.
#
# Even if something gets past validation, an embedded engine reads only the store, and each engine stops in time. A
# remote warehouse has the rights of the role in WAREHOUSE_URL: docs/sql_metrics.md says which it needs.

SECONDS = 600.0
ENGINES = ("duckdb", "postgres", "pyspark")  # their queries can be stopped from another thread


@contextmanager
def guarded(
    backend: Any, question: "ir.Table", readable: Sequence[str], seconds: float | None = None
) -> Iterator[None]:
    """Run the block on a locked connection, at most for `seconds`; queries without an SQL metric run unchanged.

    Args:
        backend: the Ibis backend; an embedded one stays locked until it is closed.
        question: the query that the block runs.
        readable: folders that the embedded engine may still read.
        seconds: None for `SECONDS`.

    Raises:
        Refused: on an engine that can't be stopped, and when the time is over.
    """
    if not holds_sql(question):
        yield
        return
    if backend.name not in ENGINES:
        raise Refused("SQL metrics run on DuckDB, PostgreSQL and Spark, not on {engine}.", engine=backend.name)
    if backend.name == "duckdb":
        lock(backend, readable)
    limit = SECONDS if seconds is None else seconds
    over, group = Event(), f"insight_{uuid4().hex}"
    if backend.name == "pyspark":
        backend._session.sparkContext.setJobGroup(group, "SQL metric", interruptOnCancel=True)

    def stop() -> None:
        over.set()
        _stop(backend, group)

    timer = Timer(limit, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:  # each driver raises its own exception for a stopped query
        if not over.is_set():
            raise
        raise Refused(
            "The question with an SQL metric took longer than {seconds} seconds and was stopped.", seconds=f"{limit:g}"
        ) from error
    finally:
        timer.cancel()
        if backend.name == "pyspark":
            backend._session.sparkContext.setLocalProperty("spark.jobGroup.id", None)


def lock(backend: Any, readable: Sequence[str]) -> None:
    """Remove access to files, network and settings from an embedded engine, until it is closed.

    Args:
        backend: the Ibis backend of DuckDB.
        readable: folders that it may still read; its own scratch is one of them.
    """
    external, scratch = backend.raw_sql(
        "SELECT current_setting('enable_external_access'), current_setting('temp_directory')"
    ).fetchone()
    if not external:
        return
    folders = ", ".join("'" + folder.replace("'", "''") + "'" for folder in (*readable, scratch) if folder)
    for command in (
        f"SET allowed_directories = [{folders}]",
        "SET python_enable_replacements = false",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        backend.raw_sql(command)


def _stop(backend: Any, group: str) -> None:
    if backend.name == "duckdb":
        backend.con.interrupt()
    elif backend.name == "postgres":
        backend.con.cancel_safe()
    else:
        backend._session.sparkContext.cancelJobGroup(group)


def holds_sql(question: "ir.Table") -> bool:
    """Whether a query contains an SQL metric."""
    import ibis.expr.operations as ops

    return bool(question.op().find(ops.SQLStringView))


# Spark as the warehouse: settings that must be made before the first query, and the single session of a process.
#
# The address is ``pyspark://`` with Spark's own settings behind a question mark, such as
# ``pyspark://?spark.master=spark://host:7077&spark.executor.memory=8g``; what it leaves out, Spark reads from
# ``SPARK_CONF_DIR/spark-defaults.conf``. Most settings are read once, when Java starts: none of them can wait for
# Ibis.

_lock = Lock()
OURS = {
    "spark.app.name": "insight",
    "spark.sql.session.timeZone": "UTC",
    # Our small tables go to the cluster, and results come back, as Arrow: executors need no Python for them.
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.pyspark.fallback.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def spark_connect(address: str) -> Any:
    """An Ibis backend on this process's session, which stays until the process ends: a start takes ten seconds.

    Raises:
        Refused: when the package isn't installed.
    """
    import ibis

    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise Refused(
            "Spark needs one more package: pip install --require-hashes -r requirements-spark.txt."
        ) from error
    for name in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        os.environ.setdefault(name, sys.executable)  # pickles of another Python version could not be read
    with _lock:
        builder = SparkSession.builder
        for name, value in conf(address).items():
            builder = builder.config(name, value)
        session = SparkSession.getActiveSession() or builder.getOrCreate()
        return ibis.pyspark.connect(session)


def conf(address: str) -> dict[str, str]:
    """Spark's settings: ours, then those of the address, then the time zone, which can't be overridden."""
    parts = urlsplit(address)
    options = dict(parse_qsl(parts.query))
    if place := parts.path.strip("/"):
        options["spark.sql.warehouse.dir"] = str(Path("/") / place)
    zone = {"spark.sql.session.timeZone": OURS["spark.sql.session.timeZone"]}
    return OURS | {"spark.driver.memory": settings.SPARK_DRIVER_MEMORY} | options | zone


@contextmanager
def spark_kept(backend: Any, question: "ir.Table") -> Iterator["ir.Table"]:
    """Cache the result of a query in the cluster until the block ends.

    Not by `Table.cache` of Ibis: it doesn't send this process's in-memory tables that a query uses, and runs on Ibis'
    own engine if a query uses nothing else. The column types are those of the query: Spark truncates a date to a
    timestamp, which would stay one from here on.

    Args:
        backend: from `connect`.
        question: computed when it is first read.
    """
    name = f"insight_{uuid4().hex}"
    table = backend.create_view(name, question)
    catalog = backend._session.catalog
    try:
        catalog.cacheTable(name)
        yield table.cast(question.schema())
    finally:
        catalog.uncacheTable(name)
        backend.drop_view(name, force=True)


# The second encoding packs sorted numbers and times: a file is a quarter smaller and read in two thirds of the time.
PARQUET = {"compression": "zstd", "parquet_version": "v2"}
BATCH = 1_000_000
JOINED = ' LEFT JOIN joined_users ON "user" = number'
UTC_COMMANDS = {
    "postgres": "SET TIME ZONE 'UTC'",
    "snowflake": "ALTER SESSION SET TIMEZONE = 'UTC'",
    "databricks": "SET TIME ZONE 'UTC'",
    "trino": "SET TIME ZONE 'UTC'",
}

# How statements stay together in `Warehouse.change`: begin, commit, roll back. BigQuery takes all as one script.
TOGETHER = {
    "duckdb": ("BEGIN", "COMMIT", "ROLLBACK"),
    "postgres": ("BEGIN", "COMMIT", "ROLLBACK"),
    "snowflake": ("BEGIN", "COMMIT", "ROLLBACK"),
    "bigquery": ("BEGIN TRANSACTION", "COMMIT TRANSACTION", ""),
}


@dataclass(frozen=True)
class Warehouse:
    """An open connection and the normalised event table on it.

    Attributes:
        backend: the Ibis backend; for this module and for temporary tables of tests only.
        events: ``user_id, event, time, properties, message_id, received_at``; times are naive UTC. Beside them the
            columns by which the log is parted, for `columns.bounded` alone. In the embedded engine, over a store all of
            whose users have numbers, `user_id` is the number and `user_text` the id; if some ids count as one person,
            both are the person's, and `own_user` is the number of the id as sent.
        dialect: the engine's name, for `unit_values.Basis`.
        users: the dictionary of those numbers; None where `user_id` is the id.
        files: the store's files behind `events`; None if a customer's warehouse is read, or no store.
        snapshot: the version of the store that they are; None where `files` is None, or of an earlier version that is
            known by its files alone.
        tables: the snapshots of Iceberg tables that `events` are read from; None in every other warehouse.
        folders: folders of their files.
        daily: the schema with the daily tables of `events`; "" where there is none (`events.warehouse.daily_schema`).
        sql_seconds: time limit of a query with an SQL metric; None for the usual time.
    """

    backend: Any
    events: "ir.Table"
    dialect: str
    users: Users | None = None
    files: StoreFiles | None = None
    snapshot: Snapshot | None = None
    tables: iceberg.TableSnapshots | None = None
    folders: tuple[str, ...] = ()
    daily: str = ""
    sql_seconds: float | None = None

    def with_events(self, events: "ir.Table") -> "Warehouse":
        """The same connection with other events, such as some of the log or a changed copy of it.

        They are parted by nothing and have no daily tables: these are the whole log's.
        """
        parts = [name for name in (PART_TIME, PART_DATE, PART_DAY) if name in events.columns]
        return replace(self, events=events.drop(*parts), snapshot=None, daily="")

    def named(self, units: "ir.Table", *, key: str = "") -> "ir.Table":
        """A table of units for use outside the warehouse: ``user_id`` is the id, even if it is a number inside.

        Args:
            units: one row per unit, or a few.
            key: a further column with the inner ``user_id``, for joining back.
        """
        units = units.mutate(**{key: units.user_id}) if key else units
        return units if self.users is None else self.users.named(units)

    def keyed(self, units: "ir.Table") -> "ir.Table":
        """A table from outside, with ids in ``user_id``, made joinable with the events; unknown users are dropped."""
        return units if self.users is None else self.users.keyed(units)

    def run(self, question: "ir.Table") -> "pd.DataFrame":
        """Run a query and fetch its result, which must be an aggregate or one row per unit, never raw events."""
        with self._guarded(question):
            frame: pd.DataFrame = self.backend.to_pandas(question)
        return frame

    def arrow(self, question: "ir.Table") -> "pa.Table":
        """The result as an Arrow table: several times cheaper than `run` for a million rows."""
        with self._guarded(question):
            if self.dialect == "clickhouse":
                return clickhouse.to_arrow(self.backend, question)
            return self.backend.to_pyarrow(question)

    def batches(self, question: "ir.Table") -> "Iterator[pa.RecordBatch]":
        """The result in batches of a million rows, for many millions that are converted to another form."""
        with self._guarded(question):
            yield from self.backend.to_pyarrow_batches(question, chunk_size=BATCH)

    def write(self, question: "ir.Table", path: Path) -> None:
        """Run a query and write its result, which may be large, as a Parquet file; DuckDB only."""
        self.backend.to_parquet(question, path, **PARQUET)

    def read(self, paths: Sequence[Path]) -> "ir.Table":
        """The rows of Parquet files that `write` wrote; DuckDB only."""
        return self.backend.read_parquet([os.fspath(path) for path in paths])

    def numbered(self, files: Sequence[str]) -> "ir.Table":
        """The events of these files of a numbered store, with each user's own number in ``user_id``; DuckDB only."""
        return _view(self.backend, files, '"user"', name=f"insight_{uuid4().hex}")

    def kept_rows(self, files: Sequence[str]) -> "ir.Table":
        """The rows of files of a daily table, with the columns in their paths; DuckDB only."""
        # Ibis' `read_parquet` asks the network for an extension for S3, though this site has it.
        name = f"insight_{uuid4().hex}"
        self.backend.raw_sql(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM {_parquet(files)}")
        return self.backend.table(name)

    def table(self, name: str) -> "ir.Table":
        """The table of a name, with schema and database before dots."""
        return _table_of(self.backend, name)

    def lines(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of a statement that reads no event, such as a plan or the engine's catalogue; [] without any."""
        found = self.backend.raw_sql(text)
        if self.dialect == "clickhouse":
            return [tuple(row) for row in found.result_rows]
        if self.dialect == "postgres" and found.description is None:
            return []
        return list(found.fetchall())

    def change(self, statements: "Sequence[exp.Expression]") -> None:
        """Run statements that write, in order: as one transaction on the engines that have them (`TOGETHER`)."""
        texts = [statement.sql(dialect=self.backend.dialect) for statement in statements]
        begin, commit, rollback = TOGETHER.get(self.dialect, ("", "", ""))
        if not begin:
            for text in texts:
                self.backend.raw_sql(text)
        elif not rollback:
            self.backend.raw_sql("".join(f"{text};\n" for text in (begin, *texts, commit)))
        else:
            self.backend.raw_sql(begin)
            try:
                for text in texts:
                    self.backend.raw_sql(text)
            except BaseException:
                self.backend.raw_sql(rollback)
                raise
            self.backend.raw_sql(commit)

    def cancel(self) -> None:
        """Interrupt the query that another thread is running here, which then raises; DuckDB only."""
        self.backend.con.interrupt()

    def _guarded(self, question: "ir.Table") -> AbstractContextManager[None]:
        """If the query has an SQL metric: no files but the store's, no network, no settings, and a time limit."""
        own = str(object_store.local_folder(event_table.url()) or event_table.url())
        return guarded(self.backend, question, self.folders if settings.WAREHOUSE_URL else (own,), self.sql_seconds)

    @contextmanager
    def kept(self, question: "ir.Table") -> Iterator["ir.Table"]:
        """Run a query once and keep its result inside the warehouse as a temporary table until the block ends.

        For a table of units that several queries read: its join then runs once. Spark uses a cache instead of temporary
        tables; Trino has neither, so each reader computes the query again.
        """
        if self.dialect == "pyspark":
            with spark_kept(self.backend, question) as table:
                if holds_sql(question):  # the cache is filled by the first read: here, where it can be stopped
                    with self._guarded(question):
                        self.backend.to_pandas(table.count())
                yield table
            return
        if self.dialect == "trino":
            yield question
            return
        name = f"insight_{uuid4().hex}"
        with self._guarded(question):
            if self.dialect == "clickhouse":
                table = clickhouse.create_temporary(self.backend, name, question)
            else:
                table = self.backend.create_table(name, question, temp=True)
        try:
            yield table
        finally:
            self.backend.drop_table(name, force=True)


@contextmanager
def connect(
    *, memory: str = "", at: Snapshot | StoreFiles | iceberg.TableSnapshots | None = None
) -> Iterator[Warehouse]:
    """Open the warehouse of the settings, and close it at the end of the block.

    Args:
        memory: memory limit of the embedded engine, for example ``2GB``; the rest spills to a temporary folder.
            Empty for the engine's own limit, four fifths of the machine.
        at: a version of the embedded store, open or by its files, which are there; or earlier snapshots of Iceberg
            tables; None for the newest.

    Raises:
        Refused: when WAREHOUSE_URL can't be opened, its table or columns don't exist, or the event store is damaged
            (`ownership.StoreRefused`): it is never read as an empty one.
        iceberg.SnapshotGone: when these snapshots aren't there.
    """
    lake = urlsplit(settings.WAREHOUSE_URL).scheme == iceberg.SCHEME
    remote = bool(settings.WAREHOUSE_URL) and not lake
    if isinstance(at, iceberg.TableSnapshots) and not lake:
        raise iceberg.SnapshotGone("The snapshots that were read lie in another warehouse.")
    backend = _remote(settings.WAREHOUSE_URL) if remote else _embedded()
    counted = not settings.WAREHOUSE_URL and bytes_read.begin(backend)
    try:
        with TemporaryDirectory(prefix="insight-questions-") as scratch:
            if memory and not remote:
                _bound(backend, memory, scratch)
            if lake:
                yield _lake(backend, at if isinstance(at, iceberg.TableSnapshots) else None)
            elif remote:
                daily = settings.WAREHOUSE_DAILY_SCHEMA
                yield Warehouse(backend, _mapped(backend), str(backend.name), daily=daily)
            else:
                store = at if isinstance(at, Snapshot | StoreFiles) else None
                table, users, read, snapshot = _whole_store(backend, store)
                yield Warehouse(backend, table, str(backend.name), users, read, snapshot)
    finally:
        if counted:
            bytes_read.end(backend)
        if backend.name != "pyspark":  # its session belongs to the process
            backend.disconnect()


def _lake(backend: Any, at: iceberg.TableSnapshots | None) -> Warehouse:
    try:
        lake = iceberg.Lake(settings.WAREHOUSE_URL, backend, at)
    except Refused:
        raise
    except Exception as error:  # each kind of catalog has its own exceptions
        raise Refused("WAREHOUSE_URL can't be opened ({error}).", error=type(error).__name__) from error
    events = mapping.one_log(mapped_tables(), lake.open_table, str(backend.name))
    return Warehouse(backend, events, str(backend.name), tables=lake.snapshots, folders=lake.folders)


@contextmanager
def bounded(*, memory: str, scratch: Path) -> Iterator[Warehouse]:
    """An embedded engine with bounded memory and no events yet: `Warehouse.numbered` and `read` bring the tables.

    Args:
        memory: limit of the engine, for example ``2GB``.
        scratch: a folder to spill to.
    """
    import ibis

    backend = _embedded()
    try:
        _bound(backend, memory, os.fspath(scratch))
        yield Warehouse(backend, ibis.memtable([], schema=COLUMNS), str(backend.name))
    finally:
        backend.disconnect()


def _bound(backend: Any, memory: str, scratch: str) -> None:
    backend.raw_sql(f"SET memory_limit = {literal(memory)}")
    backend.raw_sql(f"SET temp_directory = {literal(scratch)}")


def _embedded() -> Any:
    import ibis

    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    backend.raw_sql("SET enable_progress_bar_print = false")
    backend.raw_sql("SET autoinstall_known_extensions = false")  # the site downloads nothing while it runs
    object_store.attach(event_table.url(), backend.raw_sql)
    return backend


def _remote(address: str) -> Any:
    import ibis

    try:
        connect_to = {"pyspark": spark_connect, "clickhouse": clickhouse.connect}.get(
            urlsplit(address).scheme, ibis.connect
        )
        backend = connect_to(address)
    except Refused:
        raise
    except Exception as error:  # every driver has its own exceptions, and the reader needs one sentence
        raise Refused("WAREHOUSE_URL can't be opened ({error}).", error=type(error).__name__) from error
    if backend.name == "postgres":
        from psycopg.types.numeric import FloatLoader

        # 1.0 is a numeric there, which arrives as Decimal: Arrow takes it for no number.
        backend.con.adapters.register_loader("numeric", FloatLoader)
    command = UTC_COMMANDS.get(str(backend.name))
    if command:
        backend.raw_sql(command)
    elif backend.name == "duckdb":
        backend.raw_sql("SET TimeZone = 'UTC'")
    return backend


def _whole_store(
    backend: Any, at: Snapshot | StoreFiles | None
) -> "tuple[ir.Table, Users | None, StoreFiles | None, Snapshot | None]":
    """The store's events, with user numbers if all users have one; which files hold them; the version if it is open."""
    may_join, opened = True, None
    if at is None:
        seen = ownership.seen_to_read()
        if seen is None:
            return _stored(backend, []), None, None, None
        at = Snapshot(seen.handle)
    if isinstance(at, Snapshot):
        opened = at
        at, may_join = files_at(opened), any(opened.opened_dictionary(joins=True))
    files = [f"{event_table.url()}/{path}" for path in at.events]
    entries = [f"{event_table.url()}/{path}" for path in at.dictionary]
    if not files or not at.numbered:
        return _stored(backend, files), None, at, opened
    known = f'SELECT user_id AS known_id, "user" AS known_number, true AS known_own FROM {_parquet(entries)} '
    known += f"WHERE event = {literal(dictionary.HAS_NUMBER)}"
    joined = _join_users(backend, entries) if may_join else False
    if joined:
        known = (
            "SELECT known_id, coalesce(stays, known_number) AS known_number, stays IS NULL AS known_own "
            f"FROM ({known}) LEFT JOIN joined_users ON number = known_number"
        )
    backend.raw_sql(f"CREATE OR REPLACE TEMP VIEW known_users AS {known}")
    if joined:
        text = f'coalesce(name, user_id) AS {TEXT}, "user" AS {OWN}'
        events = _view(backend, files, 'coalesce(stays, "user")', text, JOINED)
    else:
        events = _view(backend, files, '"user"', f"user_id AS {TEXT}")
    pairs = backend.table("joined_users").select("number", "stays") if joined else None
    return events, Users(backend.table("known_users"), pairs), at, opened


def _join_users(backend: Any, entries: Sequence[str]) -> bool:
    """Create the table ``number, stays, name`` of joined users; False when there are none."""
    backend.raw_sql(
        f"""CREATE OR REPLACE TEMP TABLE joined_users AS WITH entry AS (FROM {_parquet(entries)}), last AS (
        SELECT "user" AS number, arg_max(CAST(trim(properties, '{{}}"into: ') AS BIGINT), received_at) AS stays
        FROM entry WHERE event = {literal(dictionary.JOINED)} GROUP BY number)
        SELECT number, stays, user_id AS name FROM last JOIN entry ON "user" = stays
        WHERE event = {literal(dictionary.HAS_NUMBER)} AND number <> stays"""
    )
    return bool(backend.raw_sql("SELECT count(*) FROM joined_users").fetchall()[0][0])


def _stored(backend: Any, files: Sequence[str]) -> "ir.Table":
    import ibis

    return _view(backend, files, "user_id") if files else ibis.memtable([], schema=COLUMNS)


def _view(
    backend: Any, files: Sequence[str], user: str, text: str = "", joined: str = "", name: str = "stored"
) -> "ir.Table":
    text = f", {text}" if text else ""
    backend.raw_sql(
        f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {user} AS user_id, event, "
        "make_timestamp(epoch_us(time)) AS time, properties, message_id, "
        f"make_timestamp(epoch_us(received_at)) AS received_at, {PART_DAY}{text} "
        f"FROM {_parquet(files)}{joined}"
    )
    return backend.table(name)


def _parquet(files: Sequence[str]) -> str:
    """SQL source (after FROM) for files of the store."""
    return f"read_parquet([{', '.join(literal(os.fspath(file)) for file in files)}], hive_partitioning = true)"


def _mapped(backend: Any) -> "ir.Table":
    return mapping.one_log(mapped_tables(), partial(_table_of, backend), str(backend.name))


def _table_of(backend: Any, name: str) -> "ir.Table":
    place, _, short = name.rpartition(".")
    return backend.table(short, database=database(place))


def database(name: str) -> tuple[str, ...] | str | None:
    """A schema as Ibis has it: its name, names of a database and a schema, or None for the session's own."""
    parts = tuple(name.split("."))
    return parts if len(parts) > 1 else (name or None)


def mapped_tables() -> tuple[mapping.MappedTable, ...]:
    """The tables that the settings name as the log."""
    return mapping.mapped_by(settings.WAREHOUSE_TABLE, settings.WAREHOUSE_COLUMNS, settings.WAREHOUSE_MAPPING)


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
