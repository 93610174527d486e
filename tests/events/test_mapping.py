"""Tables that were there before Insight: several of events, one of users, one of exposures, read as one log."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pytest
import sqlglot
from pytest_django import Settings
from sqlglot import expressions as sql

from events.warehouse import engine, mapping, queries
from events.warehouse.columns import bounded, property_text
from events.warehouse.unit_values import Basis
from events.windows import Clock
from runs.refusals import Refused
from tests.postgres import hits_table

MAPPING = """
events:
  - table: {place}hits
    user_id: uid
    event: name
    time: ts
    properties: props
  - table: {place}orders
    user_id: customer
    time: ordered_at
    event_name: order
    date: ordered_on
    properties: [amount, note, gift, weight]
users:
  table: {place}customers
  user_id: id
  time: signed_up
  traits: {{country: land, plan: plan}}
exposures:
  table: {place}met
  user_id: who
  time: met_at
  experiment: test
  variant: arm
"""
TABLES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "hits": (
        "uid integer, name text, ts timestamptz, props text",
        [(7, "play", "2026-03-01 19:00:00+09", '{"level": 3}')],
    ),
    "orders": (
        "customer text, ordered_at timestamp, ordered_on date, amount decimal(8,2), note text, gift boolean, "
        "weight double precision",
        [
            ("7", "2026-03-02 08:00:00", "2026-03-02", "12.50", 'say "hi"\\\n\tbye\x01', True, "nan"),
            ("8", "2026-03-05 08:00:00", "2026-03-05", "3.00", None, None, "0.5"),
        ],
    ),
    "customers": (
        "id text, signed_up timestamptz, land text, plan integer",
        [("7", "2026-03-01 09:00:00Z", "한국", 2), ("8", None, "DE", 1)],
    ),
    "met": ("who text, met_at timestamptz, test text, arm text", [("7", "2026-03-01 10:30:00Z", "guild", "nudge")]),
}  # fmt: skip
type Write = Callable[..., Path]


@pytest.fixture
def write(settings: Settings, tmp_path: Path) -> Write:
    """Write a mapping file that the settings name."""

    def written(text: str) -> Path:
        path = tmp_path / "mapping.yaml"
        path.write_text(text, encoding="utf-8")
        settings.WAREHOUSE_MAPPING, settings.WAREHOUSE_COLUMNS = str(path), ""
        return path

    return written


@contextmanager
def on_duckdb(settings: Settings, write: Write, folder: Path) -> Iterator[None]:
    with duckdb.connect(str(folder / "other.duckdb")) as connection:
        connection.execute("SET TimeZone = 'Asia/Seoul'")
        for name, (columns, rows) in TABLES.items():
            connection.execute(f"CREATE TABLE {name} ({columns})")
            connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    settings.WAREHOUSE_URL = f"duckdb://{folder / 'other.duckdb'}"
    write(MAPPING.format(place=""))
    yield


@contextmanager
def on_postgresql(settings: Settings, write: Write, folder: Path) -> Iterator[None]:
    with hits_table(settings, TABLES["hits"][0], "") as connection:
        place = settings.WAREHOUSE_TABLE.removesuffix("hits")
        for name, (columns, rows) in TABLES.items():
            if name != "hits":
                connection.execute(f"CREATE TABLE {place}{name} ({columns})")
            values = ", ".join(["%s"] * len(rows[0]))
            connection.cursor().executemany(f"INSERT INTO {place}{name} VALUES ({values})", rows)
        write(MAPPING.format(place=place))
        yield


@pytest.mark.parametrize("there", [on_duckdb, on_postgresql])
def test_tables__of_events_users_and_exposures__are_one_log(
    there: Any, settings: Settings, write: Write, tmp_path: Path
) -> None:
    with there(settings, write, tmp_path), engine.connect() as house:
        frame = house.run(house.events).sort_values("time")
        basis = Basis(Clock(), datetime(2026, 4, 1, tzinfo=UTC), dialect=house.dialect)
        met = house.run(queries.exposure_log(house.events, "guild", basis))
        signups = house.run(queries.cohort(house.events, "signup", basis))
        amounts = house.events.filter(house.events.event == "order")
        read = {name: property_text(amounts.properties, name, house.dialect) for name in ("amount", "note", "gift")}
        orders = house.run(amounts.select("time", **read)).sort_values("time")

    rows = list(zip(frame.user_id, frame.event, frame.time.dt.strftime("%Y-%m-%dT%H:%M:%S"), strict=True))
    assert rows == [
        ("7", "signup", "2026-03-01T09:00:00"),
        ("7", "play", "2026-03-01T10:00:00"),
        ("7", "Experiment Viewed", "2026-03-01T10:30:00"),
        ("7", "order", "2026-03-02T08:00:00"),
        ("8", "order", "2026-03-05T08:00:00"),
    ]  # the user without a signup has none
    said = [json.loads(text) for text in frame.properties]
    assert said == [
        {"country": "한국", "plan": 2},
        {"level": 3},
        {"experiment_id": "guild", "variation_id": "nudge"},
        {"amount": 12.5, "note": 'say "hi"\\\n\tbye\x01', "gift": True, "weight": None},
        {"amount": 3, "note": None, "gift": None, "weight": 0.5},
    ]
    assert list(orders.note.fillna("")) == ['say "hi"\\\n\tbye\x01', ""]
    assert [float(amount) for amount in orders.amount] == [12.5, 3]
    assert (list(met.user_id), list(met.variant), list(met.by_client)) == (["7"], ["nudge"], [0])
    assert list(signups.user_id) == ["7"]


def test_bounds__of_a_log_of_several_tables__leave_the_same_rows(
    settings: Settings, write: Write, tmp_path: Path
) -> None:
    since, until = datetime(2026, 3, 1, 9, 30, tzinfo=UTC), datetime(2026, 3, 2, 8, tzinfo=UTC)
    with on_duckdb(settings, write, tmp_path), engine.connect() as house:
        orders = house.run(bounded(house.events, since, until)).sort_values("time")
        seen = house.events.filter(house.events.event != "play")
        fewer = house.run(bounded(seen.select("user_id", "event", "time"), since, None)).sort_values("time")
        ranks = house.events.mutate(nth=ibis.row_number().over(group_by="user_id", order_by="time"))
        ranked = house.run(bounded(ranks, since, until)).sort_values("time")

    assert list(orders.event) == ["play", "Experiment Viewed"]  # the order came at the very bound
    assert list(fewer.event) == ["Experiment Viewed", "order", "order"]
    assert list(ranked.nth) == [1, 2]  # of the whole log, where the signup is number 0


# Ibis has no Redshift: it takes PostgreSQL's SQL.
DIALECTS = ("bigquery", "snowflake", "databricks", "clickhouse", "trino", "postgres", "duckdb")
SCHEMAS = {
    "hits": {"uid": "int64", "name": "string", "ts": "timestamp('UTC')", "props": "string"},
    "orders": {"customer": "string", "ordered_at": "timestamp", "ordered_on": "date", "amount": "decimal(8, 2)",
               "note": "string", "gift": "boolean", "weight": "float64"},
    "customers": {"id": "string", "signed_up": "timestamp('UTC')", "land": "string", "plan": "int64"},
    "met": {"who": "string", "met_at": "timestamp('UTC')", "test": "string", "arm": "string"},
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_bounds__of_a_log_of_several_tables__are_told_to_each_by_its_own_column(dialect: str, write: Write) -> None:
    opened = {name: ibis.table(schema, name=name) for name, schema in SCHEMAS.items()}
    log = mapping.one_log(mapping.read_mapping(write(MAPPING.format(place=""))), opened.__getitem__, dialect)
    basis = Basis(Clock(), datetime(2026, 6, 1, tzinfo=UTC), dialect=dialect, last=date(2026, 3, 3))

    compared = _compared_in_each(queries.cohort(log, "signup", basis), dialect)

    assert compared == {
        "hits": {"lt ts 2026-03-04"},
        "orders": {"lt ordered_at 2026-03-04", "lte ordered_on 2026-03-04"},
        "customers": {"lt signed_up 2026-03-04"},
        "met": {"lt met_at 2026-03-04"},
    }


def _compared_in_each(question: Any, dialect: str) -> dict[str, set[str]]:
    """Beside each table, which of its own columns are compared with a constant, as ``operator column date``."""
    tree = sqlglot.parse_one(str(ibis.to_sql(question, dialect=dialect)), dialect=dialect)
    tables = [table for table in tree.find_all(sql.Table) if table.name in SCHEMAS]
    return {table.name: set(_comparisons(table.find_ancestor(sql.Select), [*SCHEMAS[table.name]])) for table in tables}


def _comparisons(select: Any, columns: list[str]) -> Iterator[str]:
    for comparison in (one for kind in (sql.LT, sql.LTE) for one in select.find_all(kind)):
        column, constant = comparison.this, comparison.expression
        if (
            isinstance(column, sql.Column)
            and column.name.lower() in columns
            and not list(constant.find_all(sql.Column))
        ):
            year, month, day = re.findall(r"\d+", constant.sql())[:3]
            yield f"{comparison.key} {column.name.lower()} {date(int(year), int(month), int(day))}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("events: [", "mapping.yaml can't be read as YAML"),
        ("users: {table: customers}", r"mapping.yaml: the sections are events, users, exposures"),
        ("event: {table: hits}", r"\(event\?\)"),
        ("events: hits", "mapping.yaml, events: write a table"),
        ("events: {table: hits, uid: id}", "mapping.yaml, events, hits: uid is not known; known are table"),
        ("events: {table: hits, user_id: 3}", "mapping.yaml, events, hits: user_id must be the name of a column"),
        ("events: {table: hits, properties: 3}", "mapping.yaml, events, hits: properties must be"),
        ("events: {table: hits, event: name, event_name: play}", "either a column with its name"),
        ("events: {table: hits, event_name: $user}", r"the event store's own names"),
        ("events: {table: nowhere, event_name: x}", "mapping.yaml, events: there is no table nowhere"),
        ("events: {table: hits, user_id: uid, time: ts}", "the table hits has no column event; its columns are uid"),
        ("events: {table: hits, user_id: uid, time: ts, event_name: x, properties: [a]}", "hits has no column a;"),
        ("events: {table: hits, user_id: uid, time: ts, event: name}\nusers: {table: customers, user_id: id, time: x}",
         "mapping.yaml, users: the table customers has no column x"),
        ("events: {table: hits, user_id: uid, time: ts, event: name}\n"
         "exposures: {table: met, user_id: who, time: met_at}",
         "mapping.yaml, exposures: the table met has no column experiment, variant"),
    ],
)  # fmt: skip
def test_mapping__that_fits_nothing__is_refused_naming_file_section_table_and_column(
    text: str, words: str, settings: Settings, write: Write, tmp_path: Path
) -> None:
    with on_duckdb(settings, write, tmp_path):
        write(text)
        with pytest.raises(Refused, match=words), engine.connect():
            pass


def test_mapping__beside_the_columns_of_one_table__is_refused(settings: Settings, write: Write, tmp_path: Path) -> None:
    with on_duckdb(settings, write, tmp_path):
        settings.WAREHOUSE_COLUMNS = "user_id=uid"
        with pytest.raises(Refused, match="not both"), engine.connect():
            pass
