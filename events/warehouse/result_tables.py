"""Tables of results that this site writes for other programs, in a schema of a DuckDB or PostgreSQL database."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import batched
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pyarrow as pa

from events.store.result_tables import ResultTable, Rows
from events.warehouse.engine import identifier
from runs.refusals import Refused

SCHEMA = "insight"
ENGINES = ("duckdb", "postgres", "postgresql")
LOCK = 5_049_113_740_117  # of PostgreSQL: whoever writes results holds it until the end of the transaction
IDS = 10_000  # users in one DELETE
TYPES = {  # Arrow type → DuckDB, PostgreSQL
    pa.string(): ("VARCHAR", "text"),
    pa.int64(): ("BIGINT", "bigint"),
    pa.float64(): ("DOUBLE", "double precision"),
    pa.bool_(): ("BOOLEAN", "boolean"),
    pa.date32(): ("DATE", "date"),
    pa.timestamp("us", tz="UTC"): ("TIMESTAMPTZ", "timestamptz"),
}


@contextmanager
def result_database(address: str) -> Iterator["ResultDatabase"]:
    """Open the database; what the block does is one transaction, and nothing of it stays when the block fails.

    Args:
        address: ``postgres://user:password@host/database?schema=insight`` or ``duckdb:///path/file.duckdb?schema=…``.
            The schema is `SCHEMA` where none is named; it is created when it is missing.

    Raises:
        Refused: another engine, or a database that can't be opened.
    """
    parts = urlsplit(address)
    if parts.scheme not in ENGINES:
        raise Refused(
            "RESULTS_URL: results are written into DuckDB, PostgreSQL, a folder or s3://, not into {engine}.",
            engine=parts.scheme,
        )
    options = dict(parse_qsl(parts.query))
    schema = options.pop("schema", SCHEMA)
    plain = parts._replace(query=urlencode(options)).geturl()
    try:
        opened = _DuckDB(parts.netloc + parts.path) if parts.scheme == "duckdb" else _PostgreSQL(plain)
    except Exception as error:  # every driver has its own exceptions, and their texts may hold the address
        raise Refused("RESULTS_URL can't be opened ({error}).", error=type(error).__name__) from error
    try:
        opened.run("BEGIN")
        opened.lock()
        if not opened.rows("SELECT 1 FROM information_schema.schemata WHERE schema_name = {}", schema):
            opened.run(f"CREATE SCHEMA {identifier(schema)}")
        yield ResultDatabase(opened, schema)
        opened.run("COMMIT")
    finally:
        opened.close()  # which undoes a transaction that is open


class ResultDatabase:
    """The tables in one schema, inside a transaction."""

    def __init__(self, engine: "_DuckDB | _PostgreSQL", schema: str) -> None:
        self.engine, self.schema = engine, schema

    def replace(self, table: ResultTable, value: str | None, rows: Rows) -> None:
        """Put rows into the place of those of one key; of all rows where the key is None.

        Raises:
            Refused: a table of this name has other columns.
        """
        name = self._made(table)
        if value is None:
            self.engine.run(f"DELETE FROM {name}")  # noqa: S608 - names are quoted
        else:
            self.engine.run(f"DELETE FROM {name} WHERE {identifier(table.key)} = {{}}", value)  # noqa: S608 - names are quoted
        self.engine.insert(name, table.schema, rows)

    def remove_users(self, table: ResultTable, ids: Collection[str]) -> int:
        """Remove the rows of these users; returns how many."""
        if not self._columns(table):
            return 0
        removed = 0
        for some in batched(sorted(ids), IDS):
            where = f"FROM {self._name(table)} WHERE {identifier(table.user)} IN ({', '.join(['{}'] * len(some))})"
            removed += self.engine.rows(f"SELECT count(*) {where}", *some)[0][0]
            self.engine.run(f"DELETE {where}", *some)
        return removed

    def tidy(self, table: ResultTable) -> None:
        """Nothing: databases do it themselves."""

    def _name(self, table: ResultTable) -> str:
        return f"{identifier(self.schema)}.{identifier(table.name)}"

    def _columns(self, table: ResultTable) -> set[str]:
        found = self.engine.rows(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = {} AND table_name = {}",
            self.schema,
            table.name,
        )
        return {str(name) for (name,) in found}

    def _made(self, table: ResultTable) -> str:
        there = self._columns(table)
        if not there:
            columns = ", ".join(
                f"{identifier(column.name)} {TYPES[column.type][self.engine.TYPE]}" for column in table.schema
            )
            self.engine.run(f"CREATE TABLE {self._name(table)} ({columns})")
        elif missing := [name for name in table.schema.names if name not in there]:
            raise Refused(
                "RESULTS_URL: the table {table} has no column {missing}. Drop the table, and it is made anew.",
                table=f"{self.schema}.{table.name}",
                missing=", ".join(missing),
            )
        return self._name(table)


class _DuckDB:
    """A file. While one process writes it no other may open it: then there is a refusal, and the next write comes."""

    TYPE = 0

    def __init__(self, path: str) -> None:
        import ibis

        self.backend = ibis.duckdb.connect(path)
        self.backend.con.execute("SET TimeZone = 'UTC'")

    def lock(self) -> None:
        """The file is locked as long as it is open."""

    def run(self, sql: str, *values: str) -> None:
        self.backend.con.execute(sql.format(*["?"] * len(values)), list(values))

    def rows(self, sql: str, *values: str) -> list[Any]:
        found: list[Any] = self.backend.con.execute(sql.format(*["?"] * len(values)), list(values)).fetchall()
        return found

    def insert(self, name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        for batch in batches:
            self.backend.con.register("insight_incoming", pa.Table.from_batches([batch], schema))
            self.backend.con.execute(f"INSERT INTO {name} BY NAME SELECT * FROM insight_incoming")  # noqa: S608 - names are quoted
            self.backend.con.unregister("insight_incoming")

    def close(self) -> None:
        self.backend.disconnect()


class _PostgreSQL:
    TYPE = 1

    def __init__(self, address: str) -> None:
        import psycopg

        self.connection = psycopg.connect(address, autocommit=True, connect_timeout=10)

    def lock(self) -> None:
        """Two writers take turns: each deletes only rows that it sees."""
        self.run(f"SELECT pg_advisory_xact_lock({LOCK})")

    def run(self, sql: str, *values: str) -> None:
        self.connection.execute(sql.format(*["%s"] * len(values)), values or None)

    def rows(self, sql: str, *values: str) -> list[Any]:
        return self.connection.execute(sql.format(*["%s"] * len(values)), values or None).fetchall()

    def insert(self, name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        columns = ", ".join(map(identifier, schema.names))
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {name} ({columns}) FROM STDIN") as copy:
            for batch in batches:
                for row in batch.to_pylist():
                    copy.write_row([row[column] for column in schema.names])

    def close(self) -> None:
        self.connection.close()
