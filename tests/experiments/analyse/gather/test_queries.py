"""The questions of an experiment: against plain pandas on a simulated world, and for every promised engine."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import ibis
import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.simulation import EXPERIMENT_KEY, WORLDS, Simulation, simulate
from events.simulation.datasets import events_table
from events.warehouse import activity_bits
from events.warehouse import engine as warehouse_engine
from events.warehouse import queries as warehouse_queries
from events.warehouse.session import WarehouseSession
from events.warehouse.unit_values import Basis, level_counts
from events.windows import Clock, DayMode
from experiments.analyse.gather import queries
from experiments.analyse.gather.answers import Answers
from experiments.analyse.gather.gather import gather
from experiments.plan.derived import Question
from tests.experiments.ask import opened
from tests.marks import first_in_ci, first_is_fast
from tests.postgres import hits_table
from tests.simulated import experiment_table

END = datetime(2026, 4, 6, tzinfo=UTC)  # every window of every simulated user is complete
YOUNG = datetime(2026, 2, 16, tzinfo=UTC)
DIALECTS = ["pyspark", "clickhouse", "bigquery", "snowflake", "trino", "postgres", "duckdb"]
SCHEMA = {"user_id": "string", "event": "string", "time": "timestamp", "properties": "string"}
SCHEMA |= {"message_id": "string", "received_at": "timestamp"}
OUTCOMES = ("window:21-27", "count:chat:0-6", "min_days:7-20:3", "count:shop:0-13 / active_days:0-13", "on_day:1")
PLAN = Question(
    EXPERIMENT_KEY, ("control", "nudge"), OUTCOMES, "friend_add", 3, 7, ("platform", "channel"), active_days_before=2
)


def table_of(world: Simulation) -> pa.Table:
    """The world's log as the store gives it: naive UTC and, here, an arrival for every event of day 0 to 27."""
    table = events_table(world)
    time = table["time"].cast(pa.timestamp("us"))
    return table.set_column(2, "time", time).append_column("received_at", time)


def answers_of(table: pa.Table, plan: Question, end: datetime, clock: Clock) -> Answers:
    with opened(table, end, clock) as questions:
        return gather(questions, plan, primary=("window:21-27", "count:chat:0-6"))


# ── plain pandas ──────────────────────────────────────────────────────────────
def slow(table: pa.Table, end: datetime, clock: Clock) -> pd.DataFrame:
    """One row per exposed unit: arm, complete days, outcomes (nan where too young), reached, times, active days."""
    log = table.to_pandas()
    first = log[log.event == "Experiment Viewed"].drop_duplicates("user_id").set_index("user_id")
    first["arm"] = first.properties.str.extract('variation_id":"([a-z]+)')[0]
    log = log[(log.event != "Experiment Viewed") & log.user_id.isin(first.index)]
    log = log[(log.time >= log.user_id.map(first.time)) & (log.time < end.replace(tzinfo=None))]
    anchors = [moment.to_pydatetime() for moment in log.user_id.map(first.time)]
    moments = [moment.to_pydatetime() for moment in log.time]
    log["day"] = [clock.day_of(moment, anchor) for moment, anchor in zip(moments, anchors, strict=True)]
    units = pd.DataFrame({"arm": first.arm, "at": first.time})
    units["age"] = [clock.complete_days(moment.to_pydatetime(), end) for moment in first.time]
    days = log.groupby("user_id").day.agg(lambda days: frozenset(days))
    units["days"] = [days.get(user, frozenset()) for user in units.index]

    def number(name: str, last: int) -> Any:
        rows = log[(log.event == name) & (log.day <= last)]
        return rows.groupby("user_id").size().reindex(units.index, fill_value=0).astype(float)

    def active(low: int, high: int) -> Any:
        return units.days.map(lambda days: sum(low <= day <= high for day in days)).astype(float)

    units["v0"] = (active(21, 27) > 0).astype(float).where(units.age >= 28)
    units["v1"] = number("chat", 6).where(units.age >= 7)
    units["v2"] = (active(7, 20) >= 3).astype(float).where(units.age >= 21)
    units["v3"], units["w3"] = (each.where(units.age >= 14) for each in (number("shop", 13), active(0, 13)))
    units["v4"] = (active(1, 1) > 0).astype(float).where(units.age >= 2)
    units["times"] = number("friend_add", 6)
    units["reached"] = (units.times >= 3).astype(float)
    return units


def churn_of(days: frozenset[int], age: int, gap: int) -> tuple[int, bool]:
    seen = sorted({0, *(day for day in days if day < age)})
    for day, following in pairwise([*seen, age]):
        if following - day - 1 >= gap:
            return day, True
    return age - gap - 1, False


def pooled(answers: Answers, text: str, arm: int) -> tuple[int, Any, Any]:
    """n, means and covariance over all cells of an arm."""
    block, here = answers.cells.blocks[text], answers.cells.variant == arm
    n, means = block.n[here], block.means[here]
    mean = (n[:, None] * means).sum(axis=0) / n.sum()
    apart = means - mean
    total = (block.covariance[here] * np.maximum(n - 1, 0)[:, None, None]).sum(axis=0)
    return int(n.sum()), mean, (total + np.einsum("c,ca,cb->ab", n, apart, apart)) / (n.sum() - 1)


@pytest.fixture(scope="module", params=first_in_ci(["sample_ratio", "step"]))
def world(request: Any) -> Simulation:
    return simulate(WORLDS[request.param], 400, 7)


CLOCKS = [Clock(), Clock(DayMode.CALENDAR, "Asia/Seoul"), Clock(DayMode.CALENDAR, "America/New_York")]


@pytest.mark.slow
@pytest.mark.parametrize("clock", first_is_fast(CLOCKS), ids=str)
@pytest.mark.parametrize("end", first_is_fast([END, YOUNG]), ids=["old", "young"])
def test_gather__simulated_world__equals_plain_pandas(world: Simulation, clock: Clock, end: datetime) -> None:
    table = table_of(world)

    found, units = answers_of(table, PLAN, end, clock), slow(table, end, clock)

    assert found.cells.exposed.sum() == len(units) == world.exposed.sum()
    for arm, name in enumerate(PLAN.variants):
        rows = units[units.arm == name]
        columns = [["v0"], ["v1"], ["v2"], ["v3", "w3"], ["v4"]]
        for text, own in zip(OUTCOMES, columns, strict=True):
            mature = rows[rows[own].notna().all(axis=1)][[*own, "reached", "times"]].to_numpy(dtype=float)
            n, mean, covariance = pooled(found, text, arm)
            assert n == len(mature) > 20
            assert mean == pytest.approx(mature.mean(axis=0), rel=1e-9)
            assert covariance == pytest.approx(np.cov(mature.T), rel=1e-9, abs=1e-9)
        seen, old = rows[rows.age > 7], rows[rows.age >= 7]
        gone = [churn_of(days, age, 7) for days, age in zip(seen.days, seen.age, strict=True)]
        churn = pd.Series(gone).value_counts()
        assert {(day, gone): n for key, _, day, gone, n in found.durations if key == name} == churn.to_dict()
        curve = {day: (eligible, active) for key, day, eligible, active in found.curve if key == name}
        for day in range(29):
            whole = rows[rows.age > day]
            assert curve[day] == (len(whole), sum(day in days for days in whole.days)), day
        times = old.times.clip(upper=20).astype(int).value_counts().to_dict()
        assert {number: n for key, number, n in found.times if key == name} == times
        assert found.silent[arm] == (name, (rows.age > 0).sum(), (rows[rows.age > 0].days.map(len) == 0).sum())
    assert sum(n for _, _, _, n in found.bins["count:chat:0-6"]) == units.v1.notna().sum()
    assert set(found.bins) == {"count:chat:0-6"}
    assert found.latest_exposure == units["at"].max().tz_localize("UTC")


@pytest.mark.slow
def test_gather__covariates_of_a_world__are_the_drawn_traits(world: Simulation) -> None:
    found = answers_of(table_of(world), PLAN, END, Clock())

    truth = experiment_table(world).to_pandas()
    platform = {
        level: int(found.cells.exposed[found.cells.covariate[:, 0] == code].sum())
        for code, level in enumerate(found.cells.levels[0])
    }
    assert found.cells.covariates == ("platform", "channel", "active_days_before")
    assert platform == truth.platform.value_counts().to_dict()
    reached = pooled(found, "window:21-27", 1)[1][1]
    assert reached == pytest.approx(truth[truth.variant == "nudge"].reached.mean(), rel=1e-12)


@pytest.mark.slow
def test_gather__order_of_the_log__changes_nothing(world: Simulation) -> None:
    table = table_of(world)
    mixed = table.take(pa.array(np.random.default_rng(3).permutation(table.num_rows)))

    one, other = (answers_of(each, PLAN, YOUNG, Clock()) for each in (table, mixed))

    assert one.durations == other.durations
    assert (one.curve, one.times, one.bins) == (other.curve, other.times, other.bins)
    for name in ("variant", "segment", "week", "covariate", "exposed"):
        assert getattr(one.cells, name).tolist() == getattr(other.cells, name).tolist()
    for text in OUTCOMES:
        assert one.cells.blocks[text].means == pytest.approx(other.cells.blocks[text].means, rel=1e-12)


# ── the words of days ─────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    backend = ibis.duckdb.connect()
    yield backend
    backend.disconnect()


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.sets(st.integers(0, 99), max_size=25), st.integers(-2, 99)), min_size=1, max_size=20),
    st.integers(1, activity_bits.MOST_GAP),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_churn__any_days__is_that_of_the_slow_count_and_of_the_log(engine: Any, drawn: Any, gap: int) -> None:
    start = datetime(2026, 1, 1)  # noqa: DTZ001
    end = start + timedelta(days=200)
    users = [(str(place), end - timedelta(days=age)) for place, (_, age) in enumerate(drawn)]
    frame = pd.DataFrame(users, columns=["user_id", "anchor"]).astype({"anchor": "datetime64[us]"})
    events = pd.DataFrame(
        [
            (user, "play", at + timedelta(days=day), "{}")
            for (user, at), (days, _) in zip(users, drawn, strict=True)
            for day in days
        ],
        columns=["user_id", "event", "time", "properties"],
    ).astype({"time": "datetime64[us]"})
    basis, log = Basis(Clock(), end), ibis.memtable(events, schema={n: SCHEMA[n] for n in events.columns})
    units = warehouse_queries.with_clock(ibis.memtable(frame), basis)
    words = activity_bits.words_for(99)
    since = log.join(units.select("user_id", "anchor"), "user_id")
    since = since.filter(since.time < end)
    since = since.mutate(day=since.time.date().delta(since.anchor.date(), unit="day"))
    bits = since.group_by("user_id").aggregate(**activity_bits.day_bits(since, basis, words))
    table = units.left_join(bits, "user_id").drop("user_id_right")
    table = table.mutate(**{f"days_{word}": table[f"days_{word}"].fill_null(0) for word in range(words)})

    found = engine.to_pyarrow(activity_bits.churn(table, gap, words)).to_pylist()
    times = engine.to_pyarrow(warehouse_queries.survival_times(log, units, basis, gap)).to_pylist()

    expected = {str(place): churn_of(frozenset(days), age, gap) for place, (days, age) in enumerate(drawn) if age > gap}
    assert {row["user_id"]: (row["duration"], row["churned"]) for row in times} == expected
    assert {
        row["user_id"]: (row["complete_days"] - gap - 1, False)
        if row["churn_word"] is None
        else (activity_bits.day_of(row["churn_word"], row["churn_bit"]), True)
        for row in found
    } == expected


@pytest.mark.parametrize("gap", [0, 32])
def test_churn__gap_that_does_not_fit__is_an_error(gap: int) -> None:
    units = ibis.table({"complete_days": "int64", "days_0": "int64"}, name="units")

    with pytest.raises(ValueError, match="does not fit"):
        activity_bits.churn(units, gap, 1)


# ── every engine we promise ───────────────────────────────────────────────────
def questions_of(dialect: str, plan: Question, clock: Clock) -> dict[str, Any]:
    log, basis = ibis.table(SCHEMA, name="events"), Basis(clock, END, dialect=dialect)
    exposures = queries.exposures(log, plan, basis)
    wrong = pa.table({"user_id": ["u"], "variant": ["nudge"], "cluster": [""]})
    met = queries.met(queries.admitted(exposures, [1], wrong), plan.variants)
    units = queries.units(log, met, plan, basis)
    values = queries.unit_values(log, units, plan, basis, first_anchor=YOUNG, most_days=70)
    kept = ibis.table(values.schema(), name="kept")
    return {
        "known": queries.known_events(log, "chat"),
        "counts": queries.met_counts(met),
        "heard": queries.heard(exposures),
        "claims": queries.claims(exposures, [1]),
        "span": queries.span(units),
        "values": values,
        "levels": level_counts(kept, "c_0", 10),
        "cells": queries.cells(kept, plan, [["ios"], ["ad"], ["0"]]),
        "exposures": queries.exposures_by_day(kept),
        "durations": queries.durations(kept, 7, 3),
        "long": queries.long_durations(log, units, basis, 40),
        "complete": queries.complete_days(kept),
        "curve": queries.curve(kept, 40),
        "times": queries.times(kept, 20),
        "bins": queries.bins(kept, plan, 1),
        "sizes": queries.arm_sizes(kept, 1),
        "quantiles": queries.arm_quantiles(kept, 1, 0.9, {0: 0.01, 1: 0.02}),
        "below": queries.below_quantiles(kept, {1: [2.0, 3.0]}),
        "late": queries.late(log, basis, YOUNG),
    }


@pytest.mark.slow
@pytest.mark.parametrize("clock", ["exposure", "signup"])
@pytest.mark.parametrize("dialect", first_is_fast(DIALECTS))
def test_questions__every_promised_engine__compile(dialect: str, clock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ibis fills this option only where PySpark is installed, but its compiler asks for it.
    spark = SimpleNamespace(pyspark=SimpleNamespace(treat_nan_as_null=False))
    monkeypatch.setattr("ibis.backends.sql.compilers.pyspark.options", spark)
    plan = Question(**{**PLAN.__dict__, "clock": clock, "clustered": clock == "signup"})
    for name, question in questions_of(dialect, plan, CLOCKS[1]).items():
        assert "SELECT" in str(ibis.to_sql(question, dialect=dialect)), name


@pytest.fixture
def postgres(settings: Any) -> Iterator[psycopg.Connection]:
    """A server with a table of events; the settings point at it."""
    columns = "user_id text, event text, time timestamptz, properties text, received_at timestamptz"
    with hits_table(settings, columns, "") as connection:
        yield connection


@pytest.mark.slow
@pytest.mark.parametrize("clock", CLOCKS[:2], ids=str)
def test_postgresql__whole_analysis__equals_that_of_duckdb(
    postgres: psycopg.Connection, settings: Any, clock: Clock
) -> None:
    table = table_of(simulate(WORLDS["step"], 60, 7)).drop_columns("message_id")
    with postgres.cursor() as cursor, cursor.copy(f"COPY {settings.WAREHOUSE_TABLE} FROM STDIN") as copy:
        aware = [pc.assume_timezone(table[name], "UTC").to_pylist() for name in ("time", "received_at")]
        user, event, said = (table[name].to_pylist() for name in ("user_id", "event", "properties"))
        for row in zip(user, event, aware[0], said, aware[1], strict=True):
            copy.write_row(row)
    postgres.execute(f"ANALYZE {settings.WAREHOUSE_TABLE}")  # a fresh table has no statistics, and plans go astray

    with warehouse_engine.connect() as house:
        basis = Basis(clock, YOUNG, dialect=house.dialect)
        found = gather(WarehouseSession(house, basis, table.num_rows), PLAN, primary=("window:21-27", "count:chat:0-6"))
    expected = answers_of(table, PLAN, YOUNG, clock)

    assert house.dialect == "postgres"
    for name in ("durations", "curve", "times", "silent", "late", "bins", "exposures_by_day", "last_mature_on"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.latest_exposure == expected.latest_exposure
    assert found.cells.levels == expected.cells.levels
    for name in ("variant", "segment", "week", "covariate", "exposed"):
        assert getattr(found.cells, name).tolist() == getattr(expected.cells, name).tolist(), name
    for text in OUTCOMES:
        ours, theirs = found.cells.blocks[text], expected.cells.blocks[text]
        assert ours.n.tolist() == theirs.n.tolist()
        assert ours.means == pytest.approx(theirs.means, rel=1e-12)
        assert ours.covariance == pytest.approx(theirs.covariance, rel=1e-9, abs=1e-12)
