"""Daily tables in a customer's warehouse: the answers of the log, whatever comes late, and nothing of those erased."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pytest
import sqlglot
from django.conf import settings as site_settings
from sqlglot import expressions as sql

from events.erasure import remove_from_warehouse
from events.warehouse import daily_schema, daily_tables, engine, queries
from events.warehouse.daily_schema import COUNTED, DAYS, FIRSTS, DailySchema
from events.warehouse.daily_tables import Refreshed, refresh
from events.warehouse.engine import Warehouse
from events.warehouse.session import WarehouseSession
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode
from runs.refusals import Refused
from runs.site_zone import choose_site_zone
from tests.marks import first_in_ci
from tests.postgres import hits_table

pytestmark = pytest.mark.django_db
COLUMNS = "uid text, name text, ts timestamptz, got timestamptz"
MAPPING = "user_id=uid,event=name,time=ts,received_at=got"
FIRST, NOW = datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
WAIT = 3  # WAREHOUSE_LATE_DAYS by default

type Event = tuple[str, str, datetime, datetime | None]


@dataclass
class Log:
    """The warehouse of these tests: `run` takes SQL and the values of one row or of several."""

    run: Callable[..., list[Any]]
    schema: str

    def add(self, *events: Event) -> None:
        self.run("INSERT INTO {hits} VALUES (?, ?, ?, ?)", *events)

    def rows(self, name: str) -> list[tuple[Any, ...]]:
        columns = "user_id, event, day, first" + (", last, n" if name == DAYS else "")
        return self.run(f"SELECT {columns} FROM {self.schema}.{name} ORDER BY day, event, user_id")


@contextmanager
def on_duckdb(settings: Any, folder: Path) -> Iterator[Log]:
    path = folder / "other.duckdb"

    def run(text: str, *rows: Sequence[Any]) -> list[Any]:
        with duckdb.connect(str(path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for row in rows[:-1]:
                connection.execute(text.format(hits="hits"), row)
            return connection.execute(text.format(hits="hits"), rows[-1] if rows else None).fetchall()

    run(f"CREATE TABLE hits ({COLUMNS})")
    run("CREATE SCHEMA ours")
    settings.WAREHOUSE_URL, settings.WAREHOUSE_TABLE = f"duckdb://{path}", "hits"
    settings.WAREHOUSE_COLUMNS, settings.WAREHOUSE_DAILY_SCHEMA = MAPPING, "ours"
    yield Log(run, "ours")


@contextmanager
def on_postgresql(settings: Any, folder: Path) -> Iterator[Log]:
    with hits_table(settings, COLUMNS, MAPPING) as connection:
        schema = settings.WAREHOUSE_DAILY_SCHEMA = settings.WAREHOUSE_TABLE.removesuffix(".hits")

        def run(text: str, *rows: Sequence[Any]) -> list[Any]:
            with connection.cursor() as cursor:
                said = text.format(hits=settings.WAREHOUSE_TABLE).replace("?", "%s")
                for row in rows or (None,):
                    cursor.execute(said, row)
                return cursor.fetchall() if cursor.description else []

        yield Log(run, schema)


@pytest.fixture(params=[on_duckdb, on_postgresql], ids=["duckdb", "postgresql"])
def log(request: Any, settings: Any, tmp_path: Path) -> Iterator[Log]:
    choose_site_zone("Asia/Seoul")
    with request.param(settings, tmp_path) as found:
        yield found


@pytest.fixture
def postgresql(settings: Any, tmp_path: Path) -> Iterator[Log]:
    choose_site_zone("Asia/Seoul")
    with on_postgresql(settings, tmp_path) as found:
        yield found


def at(day: float) -> datetime:
    return FIRST + timedelta(days=day)


def some_events(*, received: bool = False, days: int = 19) -> list[Event]:
    """Two users begin each day, one of them plays before, and they play on some later days."""
    events = []
    for day in range(days):
        for user in range(2):
            name, begun = f"u{day}-{user}", at(day + user / 2)
            events += [(name, "signup", begun), (name, "play", begun - timedelta(hours=30 * user))]
            events += [(name, "play", begun + timedelta(hours=31 * k)) for k in range(1, (day + user) % 4)]
    return [(user, event, moment, moment if received else None) for user, event, moment in events if moment < NOW]


@contextmanager
def asked(clock: Clock) -> Iterator[WarehouseSession]:
    with engine.connect() as warehouse:
        yield WarehouseSession(warehouse, Basis(clock, NOW, None, warehouse.dialect), 0)


def answers(*, by_log: bool) -> dict[str, pd.DataFrame]:
    """The event names, and cohorts with and without dates, by the tables or by the log alone."""
    found = {}
    spans = [(None, None), (at(4).date(), at(5).date()), (at(16).date(), None), (None, at(3).date())]
    for clock in (Clock(), Clock(DayMode.CALENDAR, "Asia/Seoul")):
        with asked(clock) as session:
            daily = "" if by_log else session.warehouse.daily
            whole = replace(session, warehouse=replace(session.warehouse, daily=daily))
            found["names"] = whole.run(whole.event_names().order_by("event"))
            for first, last in spans:
                for anchor in ("signup", "*"):
                    table = whole.about(first, last).cohort(anchor)
                    found[f"{clock.mode} {first} {last} {anchor}"] = whole.units(table.order_by("user_id"))
    return found


def same(found: dict[str, pd.DataFrame], right: dict[str, pd.DataFrame]) -> None:
    assert found.keys() == right.keys()
    for name, frame in found.items():
        pd.testing.assert_frame_equal(frame, right[name], check_dtype=False, obj=name)
        assert len(frame), name


def same_as_the_log() -> None:
    same(answers(by_log=False), answers(by_log=True))


def is_read() -> bool:
    """Whether the tables answer at all."""
    with engine.connect() as warehouse:
        return daily_tables.event_names(warehouse) is not None


# ── the same answers ──────────────────────────────────────────────────────────
def test_answers__by_the_tables__are_the_log_s_and_need_no_date_before_those_that_wait(log: Log) -> None:
    log.add(*some_events())
    assert not is_read()

    made = refresh(now=NOW)

    right = answers(by_log=True)
    same(answers(by_log=False), right)
    settled = Clock(DayMode.CALENDAR, "Asia/Seoul").midnight(date(2026, 3, 20) - timedelta(days=WAIT))
    log.run("DELETE FROM {hits} WHERE ts < ?", (settled,))
    same(answers(by_log=False), right)
    dates = [day for (day,) in log.run(f"SELECT DISTINCT day FROM {log.schema}.{DAYS} ORDER BY day")]
    assert (dates[0], dates[-1], made) == (date(2026, 2, 28), date(2026, 3, 16), Refreshed(days=17, firsts=17))


def test_refresh__again__counts_nothing_twice(log: Log) -> None:
    log.add(*some_events(), *some_events()[:7])  # repeats count as often as they are there
    refresh(now=NOW)
    before = log.rows(DAYS), log.rows(FIRSTS)

    assert refresh(now=NOW + timedelta(hours=1)) == Refreshed()

    assert (log.rows(DAYS), log.rows(FIRSTS)) == before
    assert sum(row[-1] for row in before[0]) == sum(
        n for (n,) in log.run("SELECT count(*) FROM {hits} WHERE ts < ?", (datetime(2026, 3, 16, 15, tzinfo=UTC),))
    )
    same_as_the_log()


def test_events__that_come_late_within_the_days_that_wait__count_at_once(log: Log) -> None:
    log.add(*some_events())
    refresh(now=NOW)

    log.add(("new", "signup", at(16.2), None), ("u3-1", "chat", at(17.1), None))

    same_as_the_log()
    assert refresh(now=NOW + timedelta(days=1)) == Refreshed(days=1, firsts=1)
    same_as_the_log()


def test_events__that_come_later_with_a_known_arrival__are_counted_by_the_next_refresh(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_schema, "LATE_SHARE", 0.1)  # of so few events
    log.add(*some_events(received=True))
    refresh(now=NOW)

    came = NOW + timedelta(minutes=20)
    log.add(("u9-0", "signup", at(5.1), came), ("new", "chat", at(-9), came))

    made = refresh(now=NOW + timedelta(hours=1))
    assert made.days == 2
    same_as_the_log()
    assert refresh(now=NOW + timedelta(hours=2)) == Refreshed()


def test_days_that_wait__more_than_before__are_read_from_the_log_again(log: Log, settings: Any) -> None:
    log.add(*some_events())
    refresh(now=NOW)
    settings.WAREHOUSE_LATE_DAYS = WAIT + 2

    made = refresh(now=NOW)
    log.add(("new", "signup", at(15.2), None))

    assert made.removed == 2
    same_as_the_log()


def test_zone__of_the_site_changes__the_log_answers_until_the_tables_are_made_anew(log: Log) -> None:
    log.add(*some_events())
    refresh(now=NOW)

    choose_site_zone("America/Sao_Paulo")

    assert not is_read()
    refresh(now=NOW)
    assert log.run(f"SELECT DISTINCT zone FROM {log.schema}.{COUNTED}") == [("America/Sao_Paulo",)]
    assert is_read()
    same_as_the_log()


def test_mapping__of_the_log_changes__the_log_answers_until_the_tables_are_made_anew(log: Log, settings: Any) -> None:
    log.add(*some_events())
    refresh(now=NOW)

    settings.WAREHOUSE_COLUMNS = "user_id=name,event=uid,time=ts"

    assert not is_read()
    assert refresh(now=NOW).days == 17
    with asked(Clock()) as whole:
        assert set(whole.names) == {user for user, *_ in some_events()}


# ── what they wait ────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("late", "days"),
    [([], None), ([0.5] * 2000, 2), ([0.5] * 1998 + [5.5, 9], 2), ([0.5] * 1998 + [5.5, 5.9, 9], 6), ([29.5] * 20, 30)],
    ids=["unknown", "soon", "one of a thousand later", "more than one", "all a month later"],
)
def test_wait__is_that_after_which_one_of_a_thousand_is_still_to_come(late: Sequence[float], days: int | None) -> None:
    received = NOW - timedelta(days=1)
    times = [received.replace(tzinfo=None) - timedelta(days=day) for day in late or [1.0]]
    arrivals = [received.replace(tzinfo=None) if late else None] * len(times)
    frame = pd.DataFrame({"time": times, "received_at": arrivals}).astype("datetime64[us]")
    schema = DailySchema(Warehouse(ibis.duckdb.connect(), ibis.memtable(frame), "duckdb", daily="ours"), "UTC", NOW)

    assert schema._wait() == ((WAIT, False) if days is None else (days, True))


# ── no right to write, and engines that aren't supported ──────────────────────
def test_refresh__without_the_right_to_write__is_one_sentence_and_the_log_answers(
    postgresql: Log, settings: Any
) -> None:
    postgresql.add(*some_events())
    role = f"{postgresql.schema}_reader"
    postgresql.run(f"CREATE ROLE {role} LOGIN")
    try:
        postgresql.run(f"GRANT USAGE ON SCHEMA {postgresql.schema} TO {role}")
        postgresql.run(f"GRANT SELECT ON {settings.WAREHOUSE_TABLE} TO {role}")
        server = settings.WAREHOUSE_URL.rpartition("@")[2]
        settings.WAREHOUSE_URL = f"postgres://{role}@{server}"

        with pytest.raises(Refused, match=rf"can't be written in {postgresql.schema} \(InsufficientPrivilege\)"):
            refresh(now=NOW)

        same_as_the_log()
    finally:
        postgresql.run(f"DROP OWNED BY {role}")
        postgresql.run(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("engine_name", "schema", "named"), [("pyspark", "ours", "pyspark"), ("duckdb", "", "Iceberg")]
)
def test_refresh__on_an_engine_that_is_not_supported__is_one_sentence(
    engine_name: str, schema: str, named: str
) -> None:
    warehouse = Warehouse(None, ibis.memtable({"a": [1]}), engine_name, daily=schema)

    with pytest.raises(Refused, match=f"daily tables are kept in .* not in {named}"):
        DailySchema(warehouse, "UTC", NOW).make()


# ── erased ────────────────────────────────────────────────────────────────────
def test_erasure__of_persons__leaves_no_row_of_them_in_the_tables(log: Log) -> None:
    odd = "o'brien\\ \" 한"
    log.add(*some_events(), (odd, "signup", at(2), None))
    refresh(now=NOW)

    gone = remove_from_warehouse([odd, "u3-1", "nobody"])

    users = {user for name in (DAYS, FIRSTS) for user, *_ in log.rows(name)}
    assert gone >= 4
    assert not users & {odd, "u3-1"}
    assert "u3-0" in users
    assert remove_from_warehouse([odd]) == 0


# ── killed ────────────────────────────────────────────────────────────────────
REFRESHES = """import django; django.setup()
from datetime import UTC, datetime
from events.warehouse import daily_schema, daily_tables
daily_schema.LATE_SHARE, daily_tables.MOST_ROWS = 1, 1
print("ready", flush=True)
while True:
    daily_tables.refresh(now=datetime(2026, 3, 20, 12, 30, tzinfo=UTC))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kills", first_in_ci([2, 30]))
def test_refresh__killed_while_late_events_come__tables_are_those_made_anew(
    postgresql: Log, settings: Any, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    monkeypatch.setattr(daily_schema, "LATE_SHARE", 1)
    choose_site_zone(settings.TIME_ZONE)  # the killed process has no database with another
    postgresql.add(*some_events(received=True))
    names = ("WAREHOUSE_URL", "WAREHOUSE_TABLE", "WAREHOUSE_COLUMNS", "WAREHOUSE_DAILY_SCHEMA")
    environment = os.environ | {name: getattr(settings, name) for name in names}
    environment["DJANGO_SETTINGS_MODULE"] = "insight_site.settings"
    chance = random.Random(20261202)
    for kill in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", REFRESHES], cwd=site_settings.BASE_DIR, env=environment, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        postgresql.add((f"k{kill}", "signup", at(chance.uniform(0, 12)), NOW), ("u9-0", "chat", at(kill % 9), NOW))
        time.sleep(chance.uniform(0.5, 3))
        process.send_signal(signal.SIGKILL)
        process.communicate()

    refresh(now=NOW)
    found = postgresql.rows(DAYS), postgresql.rows(FIRSTS)
    same_as_the_log()
    for name in (COUNTED, DAYS, FIRSTS):
        postgresql.run(f"DROP TABLE {postgresql.schema}.{name}")
    refresh(now=NOW)

    assert found == (postgresql.rows(DAYS), postgresql.rows(FIRSTS))
    assert len(found[0]) > 40


# ── engines that nothing was run on ───────────────────────────────────────────
TABLE = {"uid": "string", "name": "string", "ts": "timestamp('UTC')", "got": "timestamp('UTC')"}


class Recorder:
    """A backend that writes statements down in the place of sending them."""

    def __init__(self, dialect: str, settings: Any) -> None:
        self.compiler = import_module(f"ibis.backends.sql.compilers.{dialect}").compiler
        self.dialect, self.said = self.compiler.dialect, list[str]()
        settings.WAREHOUSE_TABLE, settings.WAREHOUSE_COLUMNS = "log", MAPPING
        of_log = SimpleNamespace(name=dialect, table=lambda _name, database: ibis.table(TABLE, name="log"))
        self.warehouse = Warehouse(self, engine._mapped(of_log), dialect, daily="lake.ours")

    def table(self, name: str, database: tuple[str, str]) -> ir.Table:
        place = ibis.expr.operations.Namespace(catalog=database[0], database=database[1])
        return ibis.expr.operations.UnboundTable(
            name, ibis.schema(daily_schema.TABLES[name]), namespace=place
        ).to_expr()

    def raw_sql(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake", "databricks", "trino", "clickhouse", "postgres"])
def test_statements__of_three_dates__replace_these_by_events_bounded_on_the_mapped_column(
    dialect: str, settings: Any
) -> None:
    backend = Recorder(dialect, settings)
    tables, days = DailySchema(backend.warehouse, "Asia/Seoul", NOW), [date(2026, 3, day) for day in (4, 5, 6)]

    tables.count(days, dict.fromkeys(days, "source"))

    parsed = [one for text in backend.said for one in sqlglot.parse(text, dialect=dialect) if one is not None]
    into = [one for one in parsed if isinstance(one, sql.Insert) and _target(one) == DAYS]
    assert [_target(one) for one in parsed if isinstance(one, sql.Insert)] == [COUNTED, DAYS, COUNTED]
    assert all(table.db.strip('"`') == "ours" for one in into for table in [one.find(sql.Table)] if table)
    bounds = {
        (kind.key, _date_in(one.expression))
        for kind in (sql.GTE, sql.LT)
        for one in into[0].expression.find_all(kind)
        if isinstance(one.this, sql.Column) and one.this.name.lower() == "ts" and not one.expression.find(sql.Column)
    }
    assert bounds == {("gte", "2026-03-03"), ("lt", "2026-03-06")}  # 15:00 in UTC is midnight in Seoul
    if dialect == "databricks":
        assert _between(into[0].args["where"]) == ("2026-03-04", "2026-03-06")
    else:
        (gone,) = [one for one in parsed if isinstance(one, sql.Delete) and _target(one) == DAYS]
        assert _between(gone) == ("2026-03-04", "2026-03-06")
        assert parsed.index(gone) < parsed.index(into[0])
    kinds = [type(one).__name__ for one in parsed]
    together = {"bigquery": "Transaction", "snowflake": "Transaction", "postgres": "Transaction"}.get(dialect)
    assert (kinds[0], kinds[-1]) == (("Transaction", "Commit") if together else ("Insert", "Delete"))


def test_statements__with_ids_that_look_like_sql__hold_them_as_one_text(settings: Any) -> None:
    odd = "x' OR 1=1 --\\"
    for dialect in ("bigquery", "snowflake", "databricks", "trino", "clickhouse", "postgres", "duckdb"):
        backend = Recorder(dialect, settings)
        schema = DailySchema(backend.warehouse, "UTC", NOW)
        gone = schema._delete(DAYS, daily_schema._column("user_id").isin(sql.Literal.string(odd)))

        schema.warehouse.change([gone])

        text = next(text for text in backend.said if "DELETE" in text)
        (parsed,) = [one for one in sqlglot.parse(text, dialect=dialect) if isinstance(one, sql.Delete)]
        assert [one.this for one in parsed.find_all(sql.Literal)] == [odd], dialect


def _target(statement: sql.Expression) -> str:
    return str(statement.this.find(sql.Table).name)


def _between(node: sql.Expression) -> tuple[str, str]:
    found = node.find(sql.Between)
    assert found is not None
    assert found.this.name == "day"
    return _date_in(found.args["low"]), _date_in(found.args["high"])


def _date_in(constant: sql.Expression) -> str:
    numbers = [one.this for one in constant.find_all(sql.Literal)]
    return numbers[0][:10] if "-" in numbers[0] else "-".join(f"{int(one):02}" for one in numbers[:3])


def test_names__of_the_log__are_asked_of_the_log_where_no_schema_is_named(log: Log, settings: Any) -> None:
    log.add(*some_events())
    settings.WAREHOUSE_DAILY_SCHEMA = ""

    assert refresh(now=NOW) == Refreshed()
    with asked(Clock()) as whole:
        assert daily_tables.event_names(whole.warehouse) is None
        assert whole.event_names().equals(queries.event_names(whole.log).select("event", "users", "first_time"))
