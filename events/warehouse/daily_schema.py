"""Daily tables in a schema of the customer's warehouse (`WAREHOUSE_DAILY_SCHEMA`): what is there, how it is written.

`insight_days` and `insight_firsts` have the rows of `events.warehouse.daily_tables`, with users by their ids.
`insight_counted` says which dates they hold: by table and date the source (`daily_tables` compares it), how many
events, when, by whose dates and by which mapping of the log. Of several rows of a date the newest counts: one without
a source is written before a date is replaced and one with it afterwards, so that a process that is killed in between
leaves a date that is known and not read, also on engines without transactions.

A date is counted once, when it is so many days past that nearly no event of it is still to come: by the lateness that
`received_at` shows, else `WAREHOUSE_LATE_DAYS`. Younger dates are always read from the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import batched, groupby
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.conf import settings
from sqlglot import exp

from events.warehouse import queries
from events.warehouse.columns import bounded, utc
from events.warehouse.engine import Warehouse, database, mapped_tables
from events.warehouse.mapping import digest
from events.windows import Clock, DayMode
from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

DAYS, FIRSTS, COUNTED = "insight_days", "insight_firsts", "insight_counted"
LOOKED = "looked"  # in `insight_counted`, in the place of a table's name: when late events were last looked for
TIME = "timestamp(6)"
ROW = {"user_id": "string", "event": "string", "day": "!date", "first": TIME}
TABLES: Mapping[str, Mapping[str, str]] = {
    COUNTED: {
        "name": "string",
        "day": "!date",
        "source": "string",
        "events": "int64",
        "counted_at": TIME,
        "zone": "string",
        "mapping": "string",
    },
    DAYS: ROW | {"last": TIME, "n": "int64"},
    FIRSTS: ROW,
}
ENGINES = ("duckdb", "postgres", "clickhouse", "bigquery", "snowflake", "databricks", "trino")
OPTIONS: Mapping[str, dict[str, Any]] = {"bigquery": {"partition_by": "day"}, "clickhouse": {"order_by": ["day"]}}
ANY_EVENT = "*"  # the name, in `insight_firsts`, of a user's first event of any kind
LOCK = 5_049_113_740_118  # of PostgreSQL: whoever writes these tables holds it until the end of the transaction
LATE_SHARE = 0.001  # of the events may come later than a date waits to be counted
LATE_DAYS = range(2, 31)  # what a date may wait, where lateness is measured
MEASURED = timedelta(days=28)  # arrivals by which lateness is measured
LOADED_WITHIN = timedelta(days=2)  # of its arrival a row is in the warehouse
IDS = 1_000  # users in one DELETE


@dataclass(frozen=True)
class Counted:
    """A row of `insight_counted`: source, number of events, and when."""

    source: str
    events: int
    at: datetime


class DailySchema:
    """The daily tables of an open warehouse, by the dates of a zone, at a moment."""

    def __init__(self, warehouse: Warehouse, zone: str, now: datetime) -> None:
        self.warehouse, self.schema, self.now = warehouse, warehouse.daily, now.astimezone(UTC)
        self.clock, self.mapping = Clock(DayMode.CALENDAR, zone), digest(mapped_tables())

    # ── what stands there ─────────────────────────────────────────────────────
    def counted(self) -> set[tuple[date, str]]:
        """The dates of `insight_days`, with their sources."""
        return {(day, row.source) for day, row in self._rows(DAYS).items()}

    def found(self) -> set[tuple[date, str]]:
        """The dates of `insight_firsts`, with their sources."""
        return {(day, row.source) for day, row in self._rows(FIRSTS).items()}

    def sources(self) -> dict[date, str]:
        """By date, in order, the source of the dates that are counted."""
        return {day: row.source for day, row in sorted(self._rows(DAYS).items())}

    def first_times(self, days: Sequence[date]) -> ir.Table:
        """``user_id, event, time`` of the first times on these dates, which have no others between them."""
        rows = self._between(FIRSTS, days)
        return rows.select("user_id", "event", time=rows["first"].cast(self.warehouse.events.time.type()))

    def _between(self, name: str, days: Sequence[date]) -> ir.Table:
        rows = self._table(name)
        return rows.filter(rows.day >= _day_constant(days[0]), rows.day <= _day_constant(days[-1]))

    def _rows(self, name: str) -> dict[date, Counted]:
        """By date what is counted in the zone and by the mapping of today."""
        if COUNTED not in self._names():
            return {}
        rows = self._table(COUNTED)
        rows = rows.filter(rows.name == name, rows.zone == self.clock.zone, rows.mapping == self.mapping)
        found = self.warehouse.arrow(rows.select("day", "source", "events", "counted_at")).to_pylist()
        return {
            row["day"]: Counted(row["source"], row["events"], row["counted_at"].replace(tzinfo=UTC))
            for row in sorted(found, key=lambda row: (row["counted_at"], row["source"]))
        }

    def _names(self) -> set[str]:
        return set(self.warehouse.backend.list_tables(database=database(self.schema)))

    def _table(self, name: str) -> ir.Table:
        return self.warehouse.table(f"{self.schema}.{name}")

    # ── which dates should ────────────────────────────────────────────────────
    def wanted(self) -> dict[date, Counted]:
        """By date, in order, what should be counted: as it stands there, or with a new source."""
        wait, is_known = self._wait()
        end, before, new = self.clock.local_date(self.now) - timedelta(days=wait), self._rows(DAYS), uuid4().hex
        log = bounded(self.warehouse.events, None, self.clock.midnight(end))
        if not before:
            found = self._by_date(log)
        else:
            found = self._by_date(bounded(log, self.clock.midnight(max(before) + timedelta(days=1)), None))
            found |= self._late(log, before) if is_known else {}
        wanted = {day: row for day, row in before.items() if day < end}
        for day, row in wanted.items():
            # Where arrivals are known, what came after a date was counted is found by them.
            is_settled = is_known or row.at >= self.clock.midnight(day + timedelta(days=wait + 1))
            if not row.source or not is_settled:
                found.setdefault(day, row.events)
            elif found.get(day) == row.events:  # what came since had come before it was counted
                del found[day]
        wanted |= {day: Counted(new, events, self.now) for day, events in found.items()}
        return dict(sorted(wanted.items()))

    def _wait(self) -> tuple[int, bool]:
        """How many days a date waits to be counted, and whether times of arrival are known."""
        question = queries.lateness(self.warehouse.events, self.now - MEASURED, self.now, LATE_DAYS)
        (row,) = self.warehouse.arrow(question).to_pylist()
        if not row["received"]:
            return settings.WAREHOUSE_LATE_DAYS, False
        most = LATE_SHARE * row["received"]
        return next((day for day in LATE_DAYS if row[f"late_{day}"] <= most), LATE_DAYS[-1]), True

    def _late(self, log: ir.Table, before: Mapping[date, Counted]) -> dict[date, int]:
        """The events of the dates of which rows have come since late ones were last looked for."""
        looked = max((row.at for row in self._rows(LOOKED).values()), default=min(row.at for row in before.values()))
        came = self._by_date(log.filter(log.received_at >= utc(looked - LOADED_WITHIN)))
        found: dict[date, int] = {}
        for days in _runs(came):
            since, until = self.clock.midnight(days[0]), self.clock.midnight(days[-1] + timedelta(days=1))
            found |= self._by_date(bounded(log, since, until))
        return found

    def _by_date(self, log: ir.Table) -> dict[date, int]:
        rows = self.warehouse.arrow(queries.events_by_date(log, self.clock)).to_pylist()
        return {row["day"]: row["events"] for row in rows}

    # ── writing them ──────────────────────────────────────────────────────────
    def make(self) -> None:
        """Create the tables that are missing, and empty them if they hold dates of another zone or another log.

        Raises:
            Refused: an engine that isn't supported, or a schema that can't be written.
        """
        import ibis

        engine = self.warehouse.dialect
        if not self.schema or engine not in ENGINES:
            raise Refused(
                "WAREHOUSE_DAILY_SCHEMA: daily tables are kept in {names}, not in {engine}.",
                names="DuckDB, PostgreSQL, ClickHouse, BigQuery, Snowflake, Databricks, Trino",
                engine=engine if self.schema else "Iceberg",
            )
        with self._writing():
            there, place = self._names(), database(self.schema)
            for name, columns in TABLES.items():
                if name not in there:
                    self.warehouse.backend.create_table(
                        name, schema=ibis.schema(columns), database=place, **OPTIONS.get(engine, {})
                    )
            rows = self._table(COUNTED)
            others = rows.filter((rows.zone != self.clock.zone) | (rows.mapping != self.mapping)).count()
            if self.warehouse.arrow(others.name("n").as_table()).to_pylist()[0]["n"]:
                self._change([self._delete(name, _column("day").is_(exp.null()).not_()) for name in TABLES])

    def count(self, days: Sequence[date], wanted: Mapping[date, str]) -> None:
        """Count dates that lie side by side and have one source, in the place of what stands there of them."""
        since, until = self.clock.midnight(days[0]), self.clock.midnight(days[-1] + timedelta(days=1))
        rows = queries.day_counts(self.warehouse.events, since, until, self.clock)
        counted = self._between(DAYS, days)
        counted = counted.group_by("day").aggregate(events=counted.n.sum())
        with self._writing():
            self._change(
                [
                    self._note(DAYS, dict.fromkeys(days, "")),
                    *self._replace(DAYS, days, rows),
                    self._insert(COUNTED, counted.mutate(**self._said(DAYS, wanted[days[0]]))),
                    self._drop_notes(DAYS, days),
                ]
            )

    def find_firsts(self, days: Sequence[date], chain: Mapping[date, str]) -> None:
        """Find first times on dates that lie side by side; those of all earlier ones are right."""
        earlier = self._table(FIRSTS)
        earlier = earlier.filter(earlier.day < _day_constant(days[0]))
        rows = queries.first_days(self._between(DAYS, days), earlier, ANY_EVENT)
        with self._writing():
            self._change(
                [
                    *self._replace(FIRSTS, days, rows),
                    self._note(FIRSTS, {day: chain[day] for day in days}),
                    self._drop_notes(FIRSTS, days),
                ]
            )

    def remove(self, days: Sequence[date]) -> None:
        """Delete the rows of these dates."""
        with self._writing():
            self._change([self._delete(name, _column("day").isin(*map(_day, days))) for name in TABLES])

    def forget(self, ids: Iterable[str]) -> int:
        """Delete the rows of these users; returns how many there were."""
        there, gone = self._names(), 0
        for name in (one for one in (DAYS, FIRSTS) if one in there):
            for some in batched(sorted(ids), IDS):
                rows = self._table(name)
                theirs = rows.filter(rows.user_id.isin(some)).count().name("n").as_table()
                gone += int(self.warehouse.arrow(theirs).to_pylist()[0]["n"])
                with self._writing():
                    self._change([self._delete(name, _column("user_id").isin(*map(exp.Literal.string, some)))])
        return gone

    def note_look(self) -> None:
        """Note that the events that came before this moment have been looked at."""
        with self._writing():
            self._change([self._note(LOOKED, {self.clock.local_date(self.now): LOOKED}), self._drop_notes(LOOKED)])

    def tidy(self) -> None:
        """Nothing: the warehouse does it itself."""

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except Refused:
            raise
        except Exception as error:  # each driver has its own exceptions, and the reader needs one sentence
            raise Refused(
                "WAREHOUSE_DAILY_SCHEMA: daily tables can't be written in {schema} ({error}). It must be there, and "
                "the user of WAREHOUSE_URL must be able to create and write tables in it.",
                schema=self.schema,
                error=type(error).__name__,
            ) from error

    # ── statements ────────────────────────────────────────────────────────────
    def _change(self, statements: Sequence[exp.Expression]) -> None:
        waiting = exp.select(exp.func("pg_advisory_xact_lock", exp.Literal.number(LOCK)))
        first = [waiting] if self.warehouse.dialect == "postgres" else []
        self.warehouse.change([*first, *statements])

    def _replace(self, name: str, days: Sequence[date], rows: ir.Table) -> list[exp.Expression]:
        """Put rows in the place of those between two dates."""
        within = exp.Between(this=_column("day"), low=_day(days[0]), high=_day(days[-1]))
        if self.warehouse.dialect == "databricks":  # which replaces them in one commit of the table
            return [exp.Insert(this=self._named(name), where=within, expression=self._select(name, rows))]
        return [self._delete(name, within), self._insert(name, rows)]

    def _insert(self, name: str, rows: ir.Table) -> exp.Expression:
        return exp.Insert(this=self._with_columns(name), expression=self._select(name, rows))

    def _select(self, name: str, rows: ir.Table) -> exp.Expression:
        """A query with the columns of a table, in their order and types."""
        chosen = rows.select(**{column: rows[column].cast(kind.lstrip("!")) for column, kind in TABLES[name].items()})
        found: exp.Expression = self.warehouse.backend.compiler.to_sqlglot(chosen)
        return found

    def _note(self, name: str, sources: Mapping[date, str]) -> exp.Expression:
        """Say of dates of a table what they were made of."""
        rows = [
            [
                *map(exp.Literal.string, (name,)),
                _day(day),
                exp.Literal.string(source),
                exp.Literal.number(0),
                self._at(),
            ]
            for day, source in sources.items()
        ]
        last = [exp.Literal.string(self.clock.zone), exp.Literal.string(self.mapping)]
        values = exp.Values(expressions=[exp.Tuple(expressions=[*row, *(one.copy() for one in last)]) for row in rows])
        return exp.Insert(this=self._with_columns(COUNTED), expression=values)

    def _said(self, name: str, source: str) -> dict[str, Any]:
        """The same as columns of a query."""
        import ibis

        texts = {"name": name, "source": source, "zone": self.clock.zone, "mapping": self.mapping}
        return {column: ibis.literal(text) for column, text in texts.items()} | {"counted_at": utc(self.now)}

    def _drop_notes(self, name: str, days: Sequence[date] = ()) -> exp.Expression:
        """Delete what was said of a table before, and what was begun; of these dates or all."""
        old = exp.or_(_column("counted_at") < self._at(), _column("source").eq(exp.Literal.string("")))
        of_table = _column("name").eq(exp.Literal.string(name))
        some = [_column("day").isin(*map(_day, days))] if days else []
        return self._delete(COUNTED, exp.and_(of_table, old, *some))

    def _delete(self, name: str, condition: exp.Expr) -> exp.Expression:
        return exp.Delete(this=self._named(name), where=exp.Where(this=condition))

    def _named(self, name: str) -> exp.Table:
        *catalog, schema = self.schema.split(".")
        return exp.table_(name, db=schema, catalog=".".join(catalog) or None, quoted=True)

    def _with_columns(self, name: str) -> exp.Schema:
        columns = [exp.to_identifier(column, quoted=True) for column in TABLES[name]]
        return exp.Schema(this=self._named(name), expressions=columns)

    def _at(self) -> exp.Expression:
        """The moment, in UTC, as the engine's own type of the column."""
        import ibis

        kind = self.warehouse.backend.compiler.type_mapper.from_ibis(ibis.dtype(TIME))
        text = self.now.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
        return exp.Cast(this=exp.Literal.string(text), to=kind)


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))


def _day(day: date) -> exp.Expression:
    return exp.Cast(this=exp.Literal.string(day.isoformat()), to=exp.DataType.build("date"))


def _day_constant(day: date) -> ir.DateScalar:
    import ibis

    return ibis.literal(day, "date")


def _runs(days: Iterable[date]) -> Iterator[list[date]]:
    """The dates in runs that lie side by side."""
    for _, run in groupby(enumerate(sorted(days)), lambda pair: pair[1].toordinal() - pair[0]):
        yield [day for _, day in run]
