"""What a run would read of a customer's warehouse, by the engine's planner and catalogue: no event is read.

Each reading becomes the select that its question makes of the mapped tables, with the same columns and bounds, and the
engine says which parts of them it would open. The data are taken to end now: asking where they do would read them.

PostgreSQL reads whole pages of the relations that its plan keeps, ClickHouse the columns of the marks that it keeps.
Other engines aren't asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.utils import timezone

from events.warehouse import daily_tables, engine
from events.warehouse.columns import bounded
from events.warehouse.daily_schema import FIRSTS as FIRSTS_TABLE
from events.warehouse.engine import Warehouse, literal, mapped_tables
from events.warehouse.mapping import DATE, MappedTable
from events.warehouse.readings import EVENT, FIRST, FIRSTS, PROPERTIES, TIME, USER, USERS, Reading
from events.warehouse.unit_values import Basis
from events.windows import Clock, data_end
from runs.prices import Price, unknown
from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

# By the scheme of WAREHOUSE_URL the name of an engine that can't say what a question would read, or isn't asked.
SILENT = {
    "bigquery": "BigQuery",
    "databricks": "Databricks",
    "duckdb": "DuckDB",
    "iceberg": "Iceberg",
    "pyspark": "Spark",
    "snowflake": "Snowflake",
    "trino": "Trino",
}
OURS = {USER: "user_id", FIRST: "time"}  # a reading's column as the log has it
log = structlog.get_logger()
HERE = ("r", "m")  # of PostgreSQL's relations those whose pages lie in this database


@dataclass(frozen=True)
class Told:
    """What one reading opens: bytes and rows."""

    bytes: int
    rows: int


class NotToldError(Exception):
    """The engine has no answer, for example about a table that lies elsewhere."""


def price_of(ask: Callable[[Basis], Iterable[Reading]], clock: Clock, dates: tuple[Any, Any]) -> Price:
    """What the readings cost.

    Args:
        ask: lists them for a basis.
        clock: how days are counted.
        dates: between which the anchors of all units lie.

    Returns:
        Bytes of all readings together, and the rows of the largest; files aren't known. Unknown, with the engine's
        name, where it can't say it.
    """
    scheme = urlsplit(settings.WAREHOUSE_URL).scheme
    if scheme in SILENT:
        return unknown(SILENT[scheme])
    with engine.connect() as warehouse:
        planner = PLANNERS.get(warehouse.dialect)
        if planner is None:
            return unknown(warehouse.dialect)
        basis = Basis(clock, data_end(timezone.now(), clock), None, warehouse.dialect, *dates)
        try:
            told = _told(ask(basis), warehouse, planner(warehouse))
        except (NotToldError, Refused):
            return unknown(planner.name)
        except Exception as error:  # every driver has its own exceptions, and a price stops nobody
            log.warning("price.not_known", error=type(error).__name__)
            return unknown(planner.name)
    return Price(None, sum(one.bytes for one in told), max((one.rows for one in told), default=0))


def _told(readings: Iterable[Reading], warehouse: Warehouse, planner: Planner) -> list[Told]:
    """By reading what it opens; equal ones are asked about once."""
    known: dict[Reading, Told] = {}
    found = []
    for reading in readings:
        if reading.of == USERS:  # a store's own dictionary
            continue
        if reading not in known:
            parts = [planner.told(question, used) for question, used in _questions(reading, warehouse)]
            known[reading] = Told(sum(part.bytes for part in parts), sum(part.rows for part in parts))
        found.append(known[reading])
    return found


type Used = Mapping[str, frozenset[str]]  # by table its columns that a question needs


def _questions(reading: Reading, warehouse: Warehouse) -> Iterator[tuple[ir.Table, Used]]:
    """The selects that a reading is."""
    names = sorted({OURS.get(name, name) for name in reading.columns})
    since, until = reading.since, reading.until
    kept = daily_tables.met_between(warehouse, since, until) if reading.of == FIRSTS else None
    events = warehouse.events
    if kept is not None:
        rows, later = kept
        yield rows, {f"{warehouse.daily}.{FIRSTS_TABLE}": frozenset({"user_id", EVENT, "day", FIRST})}
        if later is None:
            return
        events, since, until, names = later, None, None, ["user_id", EVENT, TIME]
    elif reading.of == FIRSTS:
        since = None  # only earlier events tell who is new
    bounds = () if since is None and until is None else (TIME,)
    used = {one.table: _columns(one, (*names, *bounds)) for one in mapped_tables()}
    yield bounded(events, since, until).select(*names), used


def _columns(mapped: MappedTable, names: Sequence[str]) -> frozenset[str]:
    """The table's own columns behind those of the log, and those that `mapping` filters all rows by."""
    needed = {*names, "user_id", TIME} - {EVENT} if mapped.event else {*names, EVENT}
    found = {mapped.columns.get(name, name) for name in needed}
    found |= {*mapped.properties.values()} if PROPERTIES in needed else set()
    return frozenset(found | ({mapped.columns[DATE]} if DATE in mapped.columns and TIME in needed else set()))


class Planner:
    """An engine that says what a question would read.

    Attributes:
        name: of the engine, for people.
    """

    name = ""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse

    def told(self, question: ir.Table, used: Used) -> Told:
        """What a select would read.

        Args:
            question: a select of columns between bounds.
            used: by table the columns that it needs.

        Raises:
            NotToldError: the engine can't say it.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class _Relation:
    """A table, partition or index of PostgreSQL: its kind, bytes and rows, below 0 if nobody has counted them."""

    kind: str
    bytes: int
    rows: float


class _PostgreSQL(Planner):
    """The pages of the relations that the plan keeps: all of them, or those that an index leaves of them.

    An index is taken to leave as large a share of the pages as of the rows: so it is where rows lie in the order of
    their times. The share comes from the index' condition alone: what the planner makes of the casts beside it is no
    estimate.
    """

    name = "PostgreSQL"

    def __init__(self, warehouse: Warehouse) -> None:
        super().__init__(warehouse)
        warehouse.lines("SET max_parallel_workers_per_gather = 0")  # the rows of a plan would be those of one worker
        self._known: dict[tuple[str, str], _Relation] = {}

    def told(self, question: ir.Table, used: Used) -> Told:
        found = [self._scanned(node) for node in self._nodes(self.warehouse.backend.compile(question))]
        return Told(sum(one.bytes for one in found), sum(one.rows for one in found))

    def _scanned(self, node: Mapping[str, Any]) -> Told:
        """What one scan of a plan reads; nothing for a node that isn't one."""
        if "Relation Name" not in node:
            return Told(0, 0)
        schema = node["Schema"]
        relation = self._relation(schema, node["Relation Name"])
        if relation.kind not in HERE:
            raise NotToldError
        condition = node.get("Index Cond") or node.get("Recheck Cond")
        if not condition or relation.rows <= 0:
            return Told(relation.bytes, round(relation.rows if relation.rows >= 0 else node["Plan Rows"]))
        place = ".".join(map(engine.identifier, (schema, node["Relation Name"])))
        alias = engine.identifier(node["Alias"])
        (left, *_) = self._nodes(f"SELECT FROM {place} AS {alias} WHERE {condition}")
        share = min(1.0, left["Plan Rows"] / relation.rows)
        indexes = {one["Index Name"] for one in _below(node) if "Index Name" in one}
        size = sum(self._relation(schema, name).bytes for name in indexes)
        size += 0 if node["Node Type"] == "Index Only Scan" else relation.bytes
        return Told(round(share * size), round(share * relation.rows))

    def _nodes(self, sql: str) -> list[Mapping[str, Any]]:
        ((plan,),) = self.warehouse.lines(f"EXPLAIN (VERBOSE, FORMAT JSON) {sql}")
        return [*_below(plan[0]["Plan"])]

    def _relation(self, schema: str, name: str) -> _Relation:
        if (schema, name) not in self._known:
            ((kind, size, rows),) = self.warehouse.lines(
                "SELECT relkind::text, pg_relation_size(c.oid), reltuples FROM pg_class c JOIN pg_namespace n "
                f"ON n.oid = relnamespace WHERE nspname = {literal(schema)} AND relname = {literal(name)}"
            )
            self._known[schema, name] = _Relation(kind, int(size), float(rows))
        return self._known[schema, name]


def _below(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A plan's nodes, from the top."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from _below(child)


class _ClickHouse(Planner):
    """The rows of the marks that are kept, times a row's bytes on the disk in the columns that are read."""

    name = "ClickHouse"

    def told(self, question: ir.Table, used: Used) -> Told:
        size, rows = 0.0, 0
        kept = self.warehouse.lines(f"EXPLAIN ESTIMATE {self.warehouse.backend.compile(question)}")
        by_table = {(place, name): int(count) for place, name, _, count, _ in kept}
        for table, columns in used.items():
            place, _, name = table.rpartition(".")
            found = sum(count for (where, one), count in by_table.items() if one == name and place in ("", where))
            rows += found
            size += found * self._width(place, name, columns)
        return Told(round(size), rows)

    def _width(self, place: str, name: str, columns: Collection[str]) -> float:
        """Compressed bytes a row in these columns; where all parts are small, which don't say it by column, in all."""
        database = literal(place) if place else "currentDatabase()"
        where = f"active AND database = {database} AND table = {literal(name)}"
        parts = "sum(column_bytes_on_disk) / sum(rows) FROM system.parts_columns"
        wide = self.warehouse.lines(f"SELECT column, {parts} WHERE {where} AND part_type = 'Wide' GROUP BY column")
        if wide:
            return float(sum(width for column, width in wide if column in columns))
        ((size, rows),) = self.warehouse.lines(
            f"SELECT sum(data_compressed_bytes), sum(rows) FROM system.parts WHERE {where}"
        )
        if not rows:  # no table of the MergeTree family on this server, or an empty one
            raise NotToldError
        return float(size) / int(rows)


PLANNERS: Mapping[str, type[Planner]] = {"postgres": _PostgreSQL, "clickhouse": _ClickHouse}
