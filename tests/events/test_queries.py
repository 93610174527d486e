"""Queries: counted on fingers, compared with a slow and obvious computation, compiled for every engine."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import ibis
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.metrics import (
    Active,
    ActiveDays,
    Behaviour,
    Capped,
    Count,
    MinDays,
    MinEvents,
    Retention,
    Survival,
    Total,
    Value,
    parse_behaviour,
    parse_metric,
    parse_retention,
)
from events.warehouse import queries
from events.warehouse.unit_values import Basis
from events.windows import Clock, DayMode, Window
from tests.events.conftest import first_exposures
from tests.marks import first_is_fast

SCHEMA = {"user_id": "string", "event": "string", "time": "timestamp", "properties": "string"}
CLOCKS = [Clock(), Clock(DayMode.CALENDAR, "America/New_York"), Clock(DayMode.CALENDAR, "Asia/Seoul")]
DEFINITIONS = [
    "on_day:1",
    "window:1-3",
    "week:1",
    "unbounded:2",
    "min_days:0-4:2",
    "min_events:play:0-3:2",
    "active_days:0-4",
    "count:play:0-3",
    "count:play[mode=ranked]:0-5",
    "count:play#map:0-5",
    "sum:play:coins:0-5",
    "capped:3.5:sum:play:coins:0-5",
]
END = datetime(2024, 3, 20, tzinfo=UTC)
DIALECTS = ["pyspark", "clickhouse", "bigquery", "snowflake", "trino", "postgres", "duckdb"]
Rows = list[tuple[str, str, datetime, str]]


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    yield backend
    backend.disconnect()


def at(day: int, hour: int = 0, minute: int = 0, **more: int) -> datetime:
    return datetime(2024, 3, day, hour, minute, tzinfo=UTC) + timedelta(**more)


def log(engine: Any, rows: Rows) -> Any:
    naive = [(user, event, time.replace(tzinfo=None), properties) for user, event, time, properties in rows]
    frame = pd.DataFrame(naive, columns=list(SCHEMA)).astype({"time": "datetime64[us]"})
    return engine.create_table("log", frame, schema=ibis.schema(SCHEMA), temp=True, overwrite=True)


def basis(clock: Clock, end: datetime = END, **more: Any) -> Basis:
    return Basis(clock, end, **more)


# ── counted on fingers ────────────────────────────────────────────────────────
FINGERS: Rows = [
    ("early", "play", at(9, 19), "{}"),  # before the anchor: not counted
    ("early", "signup", at(9, 20), "{}"),
    ("early", "play", at(10, 20), "{}"),  # exactly 24 hours later: day 1
    ("edge", "signup", at(9, 20), "{}"),
    ("edge", "play", at(10, 20, microseconds=-1), "{}"),  # the last moment of day 0
    ("late", "signup", at(17, 20), "{}"),
    ("late", "play", at(18, 21), "{}"),
    ("late", "play", at(20, 1), "{}"),  # after the data's end
    ("silent", "signup", at(9, 20), "{}"),
    ("young", "signup", at(18, 20), "{}"),  # day 1 isn't over at the data's end
]


def by_user(engine: Any, table: Any, column: str) -> dict[str, Any]:
    frame = engine.to_pandas(table)
    return {row.user_id: None if pd.isna(getattr(row, column)) else getattr(row, column) for row in frame.itertuples()}


def test_on_day__events_on_the_edges__counts_exactly_the_second_24_hours(engine: Any) -> None:
    events, b = log(engine, FINGERS), basis(Clock())
    users = queries.cohort(events, "signup", b)

    found = by_user(engine, queries.retention(events, users, b, parse_retention("on_day:1")), "retained")

    assert found == {"early": 1.0, "edge": 0.0, "late": 1.0, "silent": 0.0, "young": None}


@pytest.mark.slow
def test_on_day__new_york_calendar__the_23_hour_date_is_day_1(engine: Any) -> None:
    # 20:00 UTC on 9 March is 15:00 in New York; 10 March runs from 05:00 UTC to 04:00 UTC of the 11th.
    rows: Rows = [
        ("last", "signup", at(9, 20), "{}"),
        ("last", "play", at(11, 3, 59), "{}"),
        ("next", "signup", at(9, 20), "{}"),
        ("next", "play", at(11, 4), "{}"),
        ("same", "signup", at(9, 20), "{}"),
        ("same", "play", at(10, 4, 59), "{}"),
    ]
    events, b = log(engine, rows), basis(CLOCKS[1])
    users = queries.cohort(events, "signup", b)

    found = by_user(engine, queries.retention(events, users, b, parse_retention("on_day:1")), "retained")

    assert found == {"last": 1.0, "next": 0.0, "same": 0.0}


def test_cohort__dates_and_star__keep_local_dates_and_first_event(engine: Any) -> None:
    events = log(engine, FINGERS)
    seoul = basis(CLOCKS[2])  # 20:00 UTC is the next date in Seoul

    chosen = queries.cohort(events, "signup", replace(seoul, first=at(18).date(), last=at(18).date()))
    first_of_any = queries.cohort(events, "*", seoul)

    assert set(by_user(engine, chosen, "anchor")) == {"late"}
    assert by_user(engine, first_of_any, "anchor")["early"] == pd.Timestamp("2024-03-09 19:00")


def test_exposure_log__both_spellings_of_the_names__are_read_and_other_experiments_left_out(engine: Any) -> None:
    rows: Rows = [
        ("a", "Experiment Viewed", at(10), '{"experiment_id": "x", "variation_id": "1"}'),
        ("a", "Experiment Viewed", at(9), '{"experimentId": "x", "variationId": 1}'),
        ("b", "Experiment Viewed", at(9), '{"experiment_id": "x", "variation_id": "0"}'),
        ("c", "Experiment Viewed", at(9), '{"experiment_id": "y", "variation_id": "0"}'),
    ]
    events, b = log(engine, rows), basis(Clock())

    units = first_exposures(events, "x", b)
    active = by_user(engine, queries.retention(events, units, b, parse_retention("window:1-3")), "retained")

    assert by_user(engine, units, "variant") == {"a": "1", "b": "0"}
    assert by_user(engine, units, "anchor")["a"] == pd.Timestamp("2024-03-09")
    assert active == {"a": 0.0, "b": 0.0}  # being exposed again is no activity


def test_counts__per_day__add_up_to_the_events_of_the_window(engine: Any) -> None:
    rows: Rows = [("u", "signup", at(9), "{}")]
    rows += [("u", "play", at(9, hour), f'{{"map": "{"ab"[hour % 2]}", "mode": "ranked"}}') for hour in range(4)]
    rows += [("u", "play", at(10, 1), '{"map": "c", "mode": "free"}'), ("u", "play", at(16), '{"map": "d"}')]
    events, b = log(engine, rows), basis(Clock())
    users = queries.cohort(events, "signup", b)
    asked = [parse_behaviour(text) for text in ("play", "play[mode=ranked]", "play#map")]

    frame = engine.to_pandas(queries.counts(events, users, b, days=7, behaviours=asked))
    everything = engine.to_pandas(queries.counts(events, users, b, days=7))

    assert {(row.behaviour, row.day): row.n for row in frame.itertuples()} == {
        ("play", 0): 4,
        ("play", 1): 1,
        ("play[mode=ranked]", 0): 4,
        ("play#map", 0): 2,
        ("play#map", 1): 1,
    }
    assert everything.n.sum() == 6  # signup and five plays; the sixth lies on day 7


def test_survival__first_silence__ends_at_the_last_day_before_it_or_is_censored_where_churn_shows_last(
    engine: Any,
) -> None:
    rows: Rows = [(user, "signup", at(1), "{}") for user in ("comes_back", "stays", "never")]
    rows += [("comes_back", "play", at(day), "{}") for day in (3, 8, 18)]  # days 2, 7, 17: silence of 4 days after 2
    rows += [("stays", "play", at(day), "{}") for day in (4, 7, 10, 13, 16, 19)]
    rows += [("newcomer", "signup", at(18), "{}")]  # after the last day on which churn shows: left out
    events, b = log(engine, rows), basis(Clock())
    users = queries.cohort(events, "signup", b)

    table = queries.survival_times(events, users, b, 4)

    assert by_user(engine, table, "churned") == {"comes_back": True, "stays": False, "never": True}
    assert by_user(engine, table, "duration") == {"comes_back": 2, "stays": 14, "never": 0}


def test_questions__empty_log__give_empty_answers(engine: Any) -> None:
    events, b = log(engine, []), basis(Clock())
    users = queries.cohort(events, "signup", b)

    values = queries.outcomes(events, users, b, {"r": parse_retention("on_day:1")})

    assert engine.to_pandas(queries.span(events, Clock())).iloc[0].events == 0
    assert engine.to_pandas(queries.retention_curve(events, users, b, [1])).empty
    assert engine.to_pandas(values).empty


# ── against a slow, obvious computation ───────────────────────────────────────
def slowly(rows: Rows, clock: Clock, end: datetime, definition: Retention | Value) -> dict[str, float | None]:
    """One user after the other, one event after the other, with the pure clock."""
    answer: dict[str, float | None] = {}
    for user in {row[0] for row in rows if row[1] == "signup"}:
        mine = [row for row in rows if row[0] == user]
        anchor = min(row[2] for row in mine if row[1] == "signup")
        seen = [(clock.day_of(row[2], anchor), row) for row in mine if anchor <= row[2] < end]
        assert not isinstance(definition, Survival)
        inside = [(day, row) for day, row in seen if day in definition.window]
        complete = clock.complete_days(anchor, end)
        answer[user] = float(_value(inside, definition)) if complete >= definition.window.days_needed else None
    return answer


def _value(inside: list[tuple[int, tuple[str, str, datetime, str]]], definition: Retention | Value) -> float:
    import json

    facts = [(day, row[1], json.loads(row[3])) for day, row in inside]
    match definition:
        case Active():
            return bool(facts)
        case MinDays(_, least):
            return len({day for day, _, _ in facts}) >= least
        case ActiveDays():
            return len({day for day, _, _ in facts})
        case MinEvents(event, _, times):
            return sum(name == event for _, name, _ in facts) >= times
        case Count(behaviour):
            key, value = behaviour.where or ("", "")
            hits = [p for _, name, p in facts if name == behaviour.event and (not key or p.get(key) == value)]
            return len(hits) if behaviour.distinct is None else len({p[behaviour.distinct] for p in hits})
        case Total(event, name_of, _):
            return sum(float(p[name_of]) for _, name, p in facts if name == event)
        case Capped(Total(event, name_of, _), cap):
            return min(sum(float(p[name_of]) for _, name, p in facts if name == event), cap or 0.0)
    raise AssertionError(definition)


PROPERTIES = st.tuples(st.sampled_from(["ranked", "free"]), st.sampled_from("abc"), st.integers(0, 5)).map(
    lambda p: f'{{"mode": "{p[0]}", "map": "{p[1]}", "coins": {p[2]}}}'
)
# Steps of 30 minutes around New York's change of clocks on 10 March, often exactly on the edges of days.
TIMES = st.integers(0, 48 * 14).map(lambda half: at(7, 5) + timedelta(minutes=30 * half))
EVENTS = st.tuples(st.sampled_from("uvw"), st.sampled_from(["signup", "play"]), TIMES, PROPERTIES)


@pytest.mark.slow
@pytest.mark.parametrize("clock", first_is_fast(CLOCKS), ids=str)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(EVENTS, max_size=25), end_step=st.integers(0, 48 * 16))
def test_outcomes__any_small_log__equal_the_slow_computation(
    engine: Any, clock: Clock, rows: Rows, end_step: int
) -> None:
    end = at(7, 5) + timedelta(minutes=30 * end_step)
    events, b = log(engine, rows), basis(clock, end)
    users = queries.cohort(events, "signup", b)
    definitions: dict[str, Any] = {f"c{i}": parse_metric(text) for i, text in enumerate(DEFINITIONS)}

    table = queries.outcomes(events, users, b, definitions)
    frame = engine.to_pandas(table).set_index("user_id")

    for name, definition in definitions.items():
        expected = slowly(rows, clock, end, definition)
        assert {user: None if pd.isna(v) else v for user, v in frame[name].items()} == expected, str(definition)


@pytest.mark.slow
@pytest.mark.parametrize("clock", first_is_fast(CLOCKS), ids=str)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(EVENTS, max_size=25), gap=st.integers(1, 5))
def test_survival_and_curve__any_small_log__equal_the_slow_computation(
    engine: Any, clock: Clock, rows: Rows, gap: int
) -> None:
    events, b = log(engine, rows), basis(clock)
    users = queries.cohort(events, "signup", b)
    expected, curve = {}, {day: [0, 0] for day in range(8)}
    for user in {row[0] for row in rows if row[1] == "signup"}:
        anchor = min(row[2] for row in rows if row[:2] == (user, "signup"))
        complete = clock.complete_days(anchor, END)
        active = {clock.day_of(row[2], anchor) for row in rows if row[0] == user and row[2] >= anchor}
        for day in curve:
            curve[day][0] += day < complete
            curve[day][1] += day < complete and day in active
        silences = [d for d in sorted(active) if d + gap < complete and not active & set(range(d + 1, d + gap + 1))]
        if complete > gap:
            expected[user] = (silences[0], True) if silences else (complete - gap - 1, False)

    times = engine.to_pandas(queries.survival_times(events, users, b, gap))
    found = engine.to_pandas(queries.retention_curve(events, users, b, list(curve)))

    assert {row.user_id: (row.duration, row.churned) for row in times.itertuples()} == expected
    assert {row.day: [row.eligible, row.active] for row in found.itertuples()} == {
        day: pair for day, pair in curve.items() if pair[0]
    }


# ── every engine we promise ───────────────────────────────────────────────────
def _questions(dialect: str, clock: Clock) -> dict[str, Any]:
    events = ibis.table(SCHEMA, name="events")
    b = replace(basis(clock, dialect=dialect), first=at(1).date(), last=at(9).date())
    users = queries.cohort(events, "signup", b)
    units = first_exposures(events, "x", b)
    definitions: dict[str, Any] = {f"c{i}": parse_metric(text) for i, text in enumerate(DEFINITIONS)}
    values = queries.outcomes(events, units, b, definitions)
    asked = [Behaviour("a"), Behaviour("a", where=("p", "1")), Behaviour("a", distinct="q")]
    return {
        "span": queries.span(events, clock),
        "event_names": queries.event_names(events),
        "activity_days": queries.activity_days(events, users, b, Window(0, 6)),
        "counts": queries.counts(events, users, b, days=7, behaviours=asked),
        "outcomes": values,
        "survival": queries.survival_times(events, users, b, 7),
        "curve": queries.retention_curve(events, units, b, [1, 7], by=["variant"]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("clock", CLOCKS[:2], ids=str)
@pytest.mark.parametrize("dialect", first_is_fast(DIALECTS))
def test_queries__every_engine__compile(dialect: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ibis fills this option only where PySpark is installed, but its compiler asks for it.
    spark = SimpleNamespace(pyspark=SimpleNamespace(treat_nan_as_null=False))
    monkeypatch.setattr("ibis.backends.sql.compilers.pyspark.options", spark)
    for name, question in _questions(dialect, clock).items():
        assert "SELECT" in ibis.to_sql(question, dialect=dialect), name
