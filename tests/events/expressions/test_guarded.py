"""The second wall: with the gate taken away, a connection for SQL metrics still reads no file, and it stops in time."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import ibis
import ibis.expr.operations as ops
import psycopg
import pytest

from events.metrics import parse_metric
from events.warehouse import columns, engine, queries
from events.warehouse.unit_values import Basis
from events.windows import Clock
from runs.refusals import Refused
from tests.aha.store import IMPORT, load_file
from tests.postgres import hits_table

BASIS = Basis(Clock(), datetime(2024, 4, 1, tzinfo=UTC))
METRIC: Any = parse_metric("sql:0-6:SELECT user_id, sum(number('price')) AS value FROM events GROUP BY user_id")
PAST_THE_GATE = [
    "SELECT 'u' AS user_id, count(*)::DOUBLE AS value FROM read_csv('/etc/passwd', sep = '~')",
    "SELECT content AS user_id, 1.0::DOUBLE AS value FROM read_text('/etc/passwd')",
    "SELECT file AS user_id, 1.0::DOUBLE AS value FROM glob('/etc/*')",
    "SELECT 'u' AS user_id, count(*)::DOUBLE AS value FROM read_parquet('http://127.0.0.1:9/x')",
    "SELECT 'u' AS user_id, count(*)::DOUBLE AS value FROM '/etc/passwd'",
    "SELECT 'u' AS user_id, count(*)::DOUBLE AS value FROM read_blob('/proc/self/environ')",
    "SELECT 'u' AS user_id, count(*)::DOUBLE AS value FROM read_text('{store}/../secret.txt')",
    "SELECT 'u' AS user_id, count(*)::DOUBLE AS value FROM in_memory",
]
STATEMENTS = [
    "COPY (SELECT 1) TO '{folder}/out.csv'",
    "ATTACH '{folder}/other.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET memory_limit = '1TB'",
    "RESET lock_configuration",
    "EXPORT DATABASE '{folder}/all'",
]


def past_the_gate(log: Any, sql: str) -> Any:
    """A question with this SELECT, as if the gate had let it through."""
    schema = ibis.schema({"user_id": "string", "value": "float64"})
    return ops.SQLStringView(parent=log.alias("seen").op(), query=sql, schema=schema).to_expr()


@pytest.fixture
def small_store(tmp_path: Path, settings: Any, db: None) -> str:
    settings.EVENTS_URL = str(tmp_path / "events")
    (tmp_path / "secret.txt").write_text("secret")
    two_events(tmp_path)
    return str(settings.EVENTS_URL)


def two_events(folder: Path) -> None:
    rows = 'ada,signup,2024-03-01T12:00:00Z,{}\nada,buy,2024-03-02T12:00:00Z,"{""price"": 5}"\n'
    (folder / "log.csv").write_text("user_id,event,time,properties\n" + rows)
    load_file(folder / "log.csv", *IMPORT)


@pytest.fixture
def house(small_store: str) -> Iterator[engine.Warehouse]:
    with engine.connect() as found:
        yield found


def ask(house: engine.Warehouse, way: str, question: Any) -> None:
    """Each of the ways in which an answer leaves the warehouse or stays in it."""
    match way:
        case "run":
            house.run(question)
        case "arrow":
            house.arrow(question)
        case "batches":
            list(house.batches(question))
        case "kept":
            with house.kept(question):
                pass


def values(house: engine.Warehouse) -> Any:
    users = queries.cohort(house.events, "signup", BASIS)
    return queries.outcomes(house.events, users, BASIS, {"v": METRIC})


def test_sql_metric__on_a_store__is_counted_and_the_store_can_be_read_afterwards(house: engine.Warehouse) -> None:
    with house.kept(values(house)) as kept:
        frame = house.run(house.named(kept))
        joined = house.arrow(kept.join(ibis.memtable({"v": [5.0], "more": [1]}), "v"))
    again = house.run(house.events.aggregate(n=house.events.count()))

    assert (frame.user_id.tolist(), frame.v.tolist()) == (["ada"], [5.0])
    assert joined.num_rows == 1
    assert again.n[0] == 2
    assert not house.backend.raw_sql("SELECT current_setting('enable_external_access')").fetchone()[0]


@pytest.mark.engines
@pytest.mark.usefixtures("db")
def test_sql_metric__on_a_store_in_s3__is_counted_and_nothing_else_can_be_read(
    bucket: str, settings: Any, tmp_path: Path
) -> None:
    settings.EVENTS_URL = bucket
    two_events(tmp_path)
    with engine.connect() as house:
        assert house.run(values(house)).v.tolist() == [5.0]

        for sql in (
            PAST_THE_GATE[1],
            f"SELECT file AS user_id, 1.0 AS value FROM glob('{bucket.removesuffix('/events')}/*')",
        ):
            with pytest.raises(duckdb.PermissionException):
                house.run(past_the_gate(house.events, sql))


def test_other_questions__leave_the_connection_open(house: engine.Warehouse) -> None:
    house.run(queries.span(house.events, Clock()))

    assert house.backend.raw_sql("SELECT current_setting('enable_external_access')").fetchone()[0]


@pytest.mark.parametrize("sql", PAST_THE_GATE)
@pytest.mark.parametrize("way", ["run", "arrow", "batches", "kept"])
def test_past_the_gate__files_and_network__are_refused_by_the_connection(
    house: engine.Warehouse, small_store: str, sql: str, way: str
) -> None:
    in_memory = ibis.memtable({"a": [1]})  # noqa: F841 - what DuckDB would find in this process
    question = past_the_gate(house.events, sql.format(store=small_store))

    with pytest.raises((duckdb.PermissionException, duckdb.CatalogException)):
        ask(house, way, question)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_locked__other_statements__are_refused(house: engine.Warehouse, tmp_path: Path, statement: str) -> None:
    house.run(values(house))

    with pytest.raises(duckdb.Error):
        house.backend.raw_sql(statement.format(folder=tmp_path))
    assert not {"out.csv", "other.db", "all"} & set(os.listdir(tmp_path))


def test_connection__without_the_lock__would_read_the_file(house: engine.Warehouse) -> None:
    assert house.backend.raw_sql("SELECT count(*) FROM read_text('/etc/passwd')").fetchone()[0] == 1


@pytest.mark.slow
def test_time__is_over__the_question_is_stopped(house: engine.Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SECONDS", 0.3)
    slow = "SELECT 'u' AS user_id, count(*)::DOUBLE AS value FROM range(100000000000) t(i) WHERE hash(i) = 1"

    with pytest.raises(Refused, match=r"longer than 0\.3 seconds and was stopped"):
        house.run(past_the_gate(house.events, slow))

    assert house.run(house.events.aggregate(n=house.events.count())).n[0] == 2


def test_time__on_postgres__the_question_is_stopped(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SECONDS", 0.3)
    slow = "SELECT 'u' AS user_id, 1.0::double precision AS value FROM pg_sleep(600)"
    with hits_table(settings, "user_id text, event text, time timestamptz", ""), engine.connect() as house:
        with pytest.raises(Refused, match="was stopped"):
            house.run(past_the_gate(house.events, slow))
        with pytest.raises(psycopg.errors.UndefinedTable):  # an error of its own stays one
            house.run(past_the_gate(house.events, "SELECT 'u' AS user_id, 1.0 AS value FROM nowhere"))


def test_engine__that_cant_be_stopped__is_refused() -> None:
    log = ibis.table(columns.COLUMNS, name="events")
    house = engine.Warehouse(SimpleNamespace(name="trino"), log, "trino")

    with pytest.raises(Refused, match="not on trino"):
        house.run(past_the_gate(log, "SELECT 1"))
