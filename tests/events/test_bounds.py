"""A question reads the days that it needs: which files it opens, what other engines are told, and the same answers."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import expressions as sql

from events.metrics import Behaviour, parse_metric, parse_retention
from events.store import event_table
from events.warehouse import engine, queries
from events.warehouse.activity_bits import days_before
from events.warehouse.session import WarehouseSession, questions
from events.warehouse.unit_values import Basis, since_anchor
from events.windows import Clock, DayMode, Window

DATES = 60
FIRST = datetime(2026, 1, 1, 15, tzinfo=UTC)
COHORT = date(2026, 1, 20), date(2026, 1, 21)
CLOCKS = (
    Clock(DayMode.ROLLING, "UTC"),
    Clock(DayMode.CALENDAR, "Asia/Seoul"),
    Clock(DayMode.CALENDAR, "America/New_York"),
)

type Question = Callable[[ir.Table, ir.Table, Basis], ir.Table]

# What is asked, and how many of the dates it needs in which its two dates of signups lie: day 0 to the last day, and a
# day more where rolling days end on the next date or a zone's dates begin on another one of UTC.
QUESTIONS: dict[str, tuple[Question, int]] = {
    "retention on days 3 to 5": (lambda log, users, basis: _retention(log, users, basis, "window:3-5"), 6),
    "retention on day 7": (lambda log, users, basis: _retention(log, users, basis, "on_day:7"), 4),
    "activity": (lambda log, users, basis: queries.activity_days(log, users, basis, Window(0, 4)), 8),
    "counts": (lambda log, users, basis: queries.counts(log, users, basis, days=5, behaviours=[Behaviour("play")]), 8),
    "every event": (lambda log, users, basis: queries.counts(log, users, basis, days=5), 8),
    "curve": (lambda log, users, basis: queries.retention_curve(log, users, basis, [1, 4]), 7),
    "funnel": (lambda log, users, basis: _value(log, users, basis, "funnel:signup:play:0-4"), 8),
    "select": (lambda log, users, basis: _value(log, users, basis, "sql:0-4:SELECT user_id, count(*) AS value "
                                                "FROM events GROUP BY user_id"), 8),
    "days before": (lambda log, users, basis: days_before(log, users, 4, "anchor", basis), 8),
}  # fmt: skip


def _retention(log: ir.Table, users: ir.Table, basis: Basis, text: str) -> ir.Table:
    return queries.retention(log, users, basis, parse_retention(text))


def _value(log: ir.Table, users: ir.Table, basis: Basis, text: str) -> ir.Table:
    definition: Any = parse_metric(text)
    return queries.outcomes(log, users, basis, {"v": definition})


def _store(rows: list[tuple[str, str, datetime]], *, late: bool = False) -> None:
    """Write events of sixty dates; a late one lies in the partition of its month."""
    arrived = [at + timedelta(days=40 if late and at.day % 5 == 0 else 0) for _, _, at in rows]
    table = pa.table(
        {
            "user_id": [user for user, _, _ in rows],
            "event": [event for _, event, _ in rows],
            "time": pa.array([at for _, _, at in rows], pa.timestamp("us", tz="UTC")),
            "properties": pa.nulls(len(rows), pa.string()),
            "message_id": [f"m{at}" for at in range(len(rows))],
            "received_at": pa.array(arrived, pa.timestamp("us", tz="UTC")),
        }
    )
    event_table.append(table, app_id="test", version=1)


def _daily_log() -> list[tuple[str, str, datetime]]:
    """A few users begin on each date, and everybody plays at several times of many later days."""
    rows = []
    for day in range(DATES):
        for user in range(3):
            at = FIRST + timedelta(days=day, hours=4 * user)
            rows.append((f"u{day}-{user}", "signup", at))
            if user and day > 1:  # known before they signed up
                rows.append((f"u{day}-{user}", "open", at - timedelta(hours=20 * user)))
            rows += [
                (f"u{day}-{user}", "play", at + timedelta(hours=17 * k + user))
                for k in range(1 + (day + user) % 9)
                if at + timedelta(hours=17 * k) < FIRST + timedelta(days=DATES)
            ]
    return rows


def _scans(house: engine.Warehouse, question: ir.Table) -> list[int]:
    """How many files each scan of the log reads; the dictionary of users is no part of the log."""
    house.backend._run_pre_execute_hooks(question)  # sends the tables of this process that it names
    plan = house.backend.raw_sql(f"EXPLAIN ANALYZE {house.backend.compile(question)}").fetchall()[0][1]
    scans = [part for part in re.split(r"TABLE_SCAN|READ_PARQUET\s*│\s*\n", plan) if "Total Files Read" in part]
    return [int(re.search(r"Total Files Read: (\d+)", part)[1]) for part in scans]  # type: ignore[index]


@pytest.fixture
def session(event_store: Path) -> Any:
    _store(_daily_log())

    def opened(clock: Clock) -> Any:
        return questions(day_mode=clock.mode, time_zone=clock.time_zone)

    return opened


def _answers(session: WarehouseSession, question: ir.Table) -> pd.DataFrame:
    frame = session.run(question)
    return frame.sort_values(list(frame.columns)).reset_index(drop=True)


@pytest.mark.django_db
@pytest.mark.parametrize("clock", CLOCKS, ids=str)
def test_cohort_of_two_dates__of_sixty__reads_its_own_days_alone(session: Any, clock: Clock) -> None:
    with session(clock) as whole:
        store = whole.about(*COHORT)
        with store.warehouse.kept(queries.cohort(store.log, "signup", store.basis)) as users:
            for name, (ask, dates) in QUESTIONS.items():
                question = ask(store.log, users, store.basis)
                read = _scans(store.warehouse, question)
                found, expected = _answers(store, question), _answers(whole, ask(whole.log, users, whole.basis))

                assert read, f"{name}: no scan of the log was seen"
                assert max(read) <= dates + 1, (name, read)  # and the first of a month, where late events lie
                assert len(found), name
                pd.testing.assert_frame_equal(found, expected, obj=name)


@pytest.mark.django_db
def test_cohort__of_two_dates__reads_no_later_day(session: Any) -> None:
    with session(CLOCKS[0]) as whole:
        store = whole.about(*COHORT)
        users = queries.cohort(store.log, "signup", store.basis)

        read = _scans(store.warehouse, users)

        assert read == [21]  # 1 to 21 January: only earlier days tell who is new
        assert len(store.run(users)) == 6


@pytest.mark.django_db
@pytest.mark.parametrize("clock", CLOCKS, ids=str)
def test_late_events__in_the_partition_of_their_month__count_as_if_they_had_come_in_time(
    event_store: Path, clock: Clock
) -> None:
    _store(_daily_log(), late=True)

    with questions(day_mode=clock.mode, time_zone=clock.time_zone) as whole:
        store = whole.about(date(2026, 1, 27), date(2026, 1, 30))  # their days go on in February
        users = queries.cohort(store.log, "signup", store.basis)
        for name, (ask, _) in QUESTIONS.items():
            found, expected = ask(store.log, users, store.basis), ask(whole.log, users, whole.basis)
            pd.testing.assert_frame_equal(_answers(store, found), _answers(whole, expected), obj=name)


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
def test_opening__a_store__reads_its_newest_day_alone_and_says_the_same(
    session: Any, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    run = engine.Warehouse.run

    def counted(house: engine.Warehouse, question: ir.Table) -> Any:
        read.extend(_scans(house, question))
        return run(house, question)

    with engine.connect() as house:
        row = house.run(queries.span(house.events, Clock(DayMode.CALENDAR, zone))).iloc[0]
    monkeypatch.setattr(engine.Warehouse, "run", counted)

    with session(Clock(DayMode.ROLLING, zone)) as store:
        assert (store.events, store.basis.data_end) == (row.events, row.newest.tz_localize("UTC"))

    assert sum(read) <= 2, read


@pytest.mark.django_db
def test_opening__a_store_of_dates_without_times__sees_that_the_newest_date_is_over(event_store: Path) -> None:
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    _store([("a", "signup", midnight), ("b", "signup", midnight + timedelta(days=3))])

    with questions(day_mode="calendar", time_zone="UTC") as store:
        assert store.basis.data_end == midnight + timedelta(days=4)


@pytest.mark.django_db
def test_opening__a_store_with_one_event_after_midnight_in_a_file_that_begins_at_it__has_times(
    event_store: Path,
) -> None:
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    _store([("a", "signup", midnight), ("b", "signup", midnight + timedelta(hours=7))])

    with questions(day_mode="calendar", time_zone="UTC") as store:
        assert store.basis.data_end == midnight


# ── other warehouses ──────────────────────────────────────────────────────────
# Ibis has no Redshift: it takes PostgreSQL's SQL.
DIALECTS = ("bigquery", "snowflake", "databricks", "clickhouse", "trino", "postgres", "pyspark", "duckdb")
TABLE = {"uid": "string", "name": "string", "ts": "timestamp('UTC')", "props": "string", "dt": "date"}


def _mapped(settings: Any, schema: dict[str, str], columns: str) -> ir.Table:
    settings.WAREHOUSE_TABLE, settings.WAREHOUSE_COLUMNS = "log", columns
    table = ibis.table(schema, name="log")
    return engine._mapped(SimpleNamespace(name="duckdb", table=lambda _name, database: table))


def _compared(question: ir.Table, dialect: str, column: str) -> set[tuple[str, str]]:
    """How the column itself, without a cast, is compared with a constant in each scan: ``(operator, date)``."""
    tree = sqlglot.parse_one(str(ibis.to_sql(question, dialect=dialect)), dialect=_DIALECTS.get(dialect, dialect))
    found = set()
    for kind in (sql.GTE, sql.LT, sql.LTE):
        for comparison in tree.find_all(kind):
            left, right = comparison.this, comparison.expression
            if isinstance(left, sql.Column) and left.name.lower() == column and not list(right.find_all(sql.Column)):
                found.add((kind.key, re.search(r"\d{4}-\d\d-\d\d", _digits(right))[0]))  # type: ignore[index]
    return found


_DIALECTS = {"pyspark": "spark"}


def _digits(constant: sql.Expression) -> str:
    """A constant's date as text, also where an engine takes it in parts."""
    text = constant.sql()
    parts = re.findall(r"\d+", text)
    return text if re.search(r"\d{4}-\d\d-\d\d", text) else f"{int(parts[0]):04}-{int(parts[1]):02}-{int(parts[2]):02}"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_warehouse__parted_by_a_time_with_a_zone__is_asked_by_that_column(
    dialect: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spark = SimpleNamespace(pyspark=SimpleNamespace(treat_nan_as_null=False))
    monkeypatch.setattr("ibis.backends.sql.compilers.pyspark.options", spark)
    log = _mapped(settings, TABLE, "user_id=uid,event=name,time=ts,properties=props")
    end = datetime(2026, 3, 1, tzinfo=UTC)
    basis = Basis(Clock(), end, dialect=dialect, first=COHORT[0], last=COHORT[1])
    users = queries.cohort(log, "signup", basis)

    assert _compared(users, dialect, "ts") == {("lt", "2026-01-22")}
    for name, (ask, _) in QUESTIONS.items():
        found = _compared(ask(log, users, basis), dialect, "ts")
        assert {kind for kind, _ in found} == {"gte", "lt"}, (name, found)
        assert all("2026-01-15" <= day <= "2026-01-31" for _, day in found), (name, found)


@pytest.mark.parametrize("kind", ["date", "string"])
@pytest.mark.parametrize("dialect", ["bigquery", "databricks", "trino"])
def test_warehouse__parted_by_a_date__is_asked_with_a_day_to_spare(dialect: str, kind: str, settings: Any) -> None:
    log = _mapped(settings, TABLE | {"dt": kind}, "user_id=uid,event=name,time=ts,properties=props,date=dt")
    basis = Basis(Clock(), datetime(2026, 3, 1, tzinfo=UTC), dialect=dialect, first=COHORT[0], last=COHORT[1])
    users = ibis.table({"user_id": "string", "anchor": "timestamp", "anchor_date": "date"}, name="users")

    found = _compared(since_anchor(log, users, basis, window=Window(0, 4)), dialect, "dt")

    assert found == {("gte", "2026-01-19"), ("lte", "2026-01-27")}


# ── the same answers ──────────────────────────────────────────────────────────
# Steps of 30 minutes around New York's change of clocks on 8 March, often exactly on the edges of days.
TIMES = st.integers(0, 48 * 12).map(lambda half: datetime(2026, 3, 3, 5, tzinfo=UTC) + timedelta(minutes=30 * half))
ROWS = st.lists(st.tuples(st.sampled_from("uvwx"), st.sampled_from(["signup", "play"]), TIMES), max_size=30)


@pytest.fixture(scope="module")
def memory() -> Any:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    yield backend
    backend.disconnect()


@pytest.mark.parametrize("clock", [CLOCKS[0], CLOCKS[2]], ids=str)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, first=st.integers(0, 12), length=st.integers(0, 3), end=st.integers(0, 48 * 14))
def test_bounds__any_small_log__change_no_answer(
    memory: Any, clock: Clock, rows: list[tuple[str, str, datetime]], first: int, length: int, end: int
) -> None:
    naive = [(user, event, at.replace(tzinfo=None), None, at.date()) for user, event, at in rows]
    schema = {"user_id": "string", "event": "string", "time": "timestamp", "properties": "string", "event_date": "date"}
    frame = pd.DataFrame(naive, columns=list(schema)).astype({"time": "datetime64[us]"})
    log = memory.create_table("log", frame, schema=ibis.schema(schema), temp=True, overwrite=True)
    since = date(2026, 3, 2) + timedelta(days=first)
    whole = Basis(clock, datetime(2026, 3, 3, 5, tzinfo=UTC) + timedelta(minutes=30 * end))
    some = replace(whole, first=since, last=since + timedelta(days=length))
    users = queries.in_dates(queries.cohort(log, "signup", whole), some.first, some.last)

    def rows_of(question: ir.Table) -> pd.DataFrame:
        found: pd.DataFrame = memory.to_pandas(question)
        return found.sort_values(list(found.columns)).reset_index(drop=True)

    pd.testing.assert_frame_equal(rows_of(queries.cohort(log, "signup", some)), rows_of(users))
    # A zone's offsets make each query long, and all bounds come from two functions: of calendar days three are enough.
    names = [*QUESTIONS] if clock.mode is DayMode.ROLLING else ["retention on days 3 to 5", "counts", "days before"]
    for name in names:
        ask = QUESTIONS[name][0]
        found, expected = rows_of(ask(log, users, some)), rows_of(ask(log, users, whole))
        pd.testing.assert_frame_equal(found, expected, obj=name)
