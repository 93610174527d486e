"""The price in a warehouse is what PostgreSQL then reads: told by its planner before, counted by its own statistics."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from django.utils import timezone
from pytest_django import Settings

from aha.models import Study
from aha.study import studies
from events.warehouse import daily_tables
from events.warehouse.price import price_of
from events.warehouse.readings import Reading, whole
from runs.models import Spending
from runs.prices import Price
from runs.refusals import Refused
from tests.events import test_price as made
from tests.postgres import hits_table

pytestmark = pytest.mark.django_db
COLUMNS = "uid text, name text, ts timestamptz, props text, mid text, got timestamptz"
MAPPING = "user_id=uid,event=name,time=ts,properties=props,message_id=mid,received_at=got"
ALLOWED = 0.2
PAGE = 8192
ASKING = f"insight_price_{os.getpid()}"
READ = (
    "SELECT sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)) FROM pg_statio_user_tables "
    "WHERE schemaname = %s"
)


@contextmanager
def log_in_postgresql(settings: Settings, how: str) -> Iterator[psycopg.Connection]:
    """The log of `tests.events.test_price` in a table of this kind; the settings point at it."""
    with hits_table(settings, COLUMNS, MAPPING) as connection:
        table = settings.WAREHOUSE_TABLE
        if how == "by day":
            connection.execute(f"DROP TABLE {table}")
            connection.execute(f"CREATE TABLE {table} ({COLUMNS}) PARTITION BY RANGE (ts)")
        connection.execute("SET TIME ZONE 'UTC'")
        alone = "(autovacuum_enabled = off)"  # whose reads would count as ours
        if how != "by day":
            connection.execute(f"ALTER TABLE {table} SET {alone}")
        number = np.random.default_rng(1)
        for day in range(made.DAYS):
            first = made.FIRST + timedelta(days=day)
            if how == "by day":
                connection.execute(
                    f"CREATE TABLE {table}_{day} PARTITION OF {table} FOR VALUES FROM ('{first.isoformat()}') "
                    f"TO ('{(first + timedelta(days=1)).isoformat()}') WITH {alone}"
                )
            rows = made._day(day, number).sort_by("time").to_pylist()
            with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(tuple(row.values()))
        if how == "by an index":
            connection.execute(f"CREATE INDEX ON {table} (ts)")
        connection.execute(f"VACUUM ANALYZE {table}")
        settings.WAREHOUSE_URL += f"?application_name={ASKING}"
        yield connection


def bytes_read(connection: psycopg.Connection, settings: Settings) -> int:
    """All that was read of the log so far, by the server's statistics, to which a session adds when it ends."""
    here = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()"
    while connection.execute(here, [ASKING]).fetchone() != (0,):
        time.sleep(0.01)
    connection.execute("SELECT pg_stat_force_next_flush()")  # what this session itself read, before the question
    found: Any = connection.execute(READ, [settings.WAREHOUSE_TABLE.rpartition(".")[0]]).fetchone()
    return int(found[0]) * PAGE


def off(asked: tuple[Price, Callable[[], object]], connection: psycopg.Connection, settings: Settings) -> float:
    """By which share the price differs from what is read."""
    told, ask = asked
    before = bytes_read(connection, settings)
    ask()
    read = bytes_read(connection, settings) - before
    return told.bytes / read - 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ["whole", "by day", "by an index"])
def test_price__in_postgresql__is_within_a_fifth_of_the_blocks_that_are_read(
    settings: Settings, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: made.FIRST + timedelta(days=made.DAYS))
    with log_in_postgresql(settings, how) as connection:
        found = {name: off(ask(), connection, settings) for name, ask in made.QUESTIONS.items()}

    assert {name: f"{share:+.1%}" for name, share in found.items() if abs(share) > ALLOWED} == {}


@pytest.mark.slow
def test_price__by_daily_tables_in_postgresql__is_that_of_them_and_of_fewer_partitions(settings: Settings) -> None:
    with log_in_postgresql(settings, "by day") as connection:
        by_log = {name: made.QUESTIONS[name]()[0].bytes for name in made.BY_DAILY_TABLES}
        settings.WAREHOUSE_DAILY_SCHEMA = settings.WAREHOUSE_TABLE.rpartition(".")[0]
        assert daily_tables.refresh().days == made.DAYS
        found = {name: off(made.QUESTIONS[name](), connection, settings) for name in made.BY_DAILY_TABLES}
        by_tables = {name: made.QUESTIONS[name]()[0].bytes for name in made.BY_DAILY_TABLES}

    assert {name: f"{share:+.1%}" for name, share in found.items() if abs(share) > ALLOWED} == {}
    assert all(by_tables[name] < by_log[name] for name in by_log)


def _price(readings: Sequence[Reading]) -> Price:
    return price_of(lambda _: readings)


def test_price__of_partitions__is_their_pages__and_what_is_read_twice_counts_twice(settings: Settings) -> None:
    since, until = (made.FIRST + timedelta(days=day) for day in (3, 5))
    some, every = whole("event", since=since, until=until), whole("time")
    with log_in_postgresql(settings, "by day") as connection:
        told = [_price(asked) for asked in ([some], [some, some], [every, some])]
        schema = settings.WAREHOUSE_TABLE.rpartition(".")[0]
        sizes = connection.execute(
            "SELECT relname, pg_relation_size(c.oid), reltuples FROM pg_class c WHERE relnamespace = %s::regnamespace "
            "AND relkind = 'r'",
            [schema],
        ).fetchall()
    days = {name: (size, int(rows)) for name, size, rows in sizes}
    two = [days["hits_3"], days["hits_4"]]

    assert len(days) == made.DAYS
    size, rows = sum(size for size, _ in two), sum(rows for _, rows in two)
    assert told[0] == Price(None, size, rows)
    assert told[1] == Price(None, 2 * size, rows)
    assert told[2] == Price(None, size + sum(size for size, _ in days.values()), sum(rows for _, rows in days.values()))


def test_price__of_rows_of_a_view__is_that_of_its_table__and_of_rows_elsewhere_isnt_known(settings: Settings) -> None:
    with log_in_postgresql(settings, "whole") as connection:
        table = settings.WAREHOUSE_TABLE
        told = made.study()[0]
        connection.execute(f"CREATE VIEW {table}_seen AS SELECT * FROM {table}")
        settings.WAREHOUSE_TABLE = f"{table}_seen"
        assert made.study()[0] == told
        connection.execute(f"CREATE FOREIGN DATA WRAPPER {ASKING}")
        try:
            connection.execute(f"CREATE SERVER {ASKING} FOREIGN DATA WRAPPER {ASKING}")
            connection.execute(f"CREATE FOREIGN TABLE {table}_far ({COLUMNS}) SERVER {ASKING}")
            settings.WAREHOUSE_TABLE = f"{table}_far"
            assert made.study()[0] == Price(known=False, engine="PostgreSQL")
        finally:
            connection.execute(f"DROP FOREIGN DATA WRAPPER {ASKING} CASCADE")


def test_price__of_a_server_that_isnt_there__is_not_known(settings: Settings) -> None:
    settings.WAREHOUSE_URL = "postgres://nobody@127.0.0.1:1/none"

    assert not made.study()[0].known


def test_study_in_postgresql__over_the_budget__is_refused_before_anything_is_read(settings: Settings) -> None:
    with log_in_postgresql(settings, "by day") as connection:
        told = made.study(**made.WEEK)[0]
        inputs = replace(made.STUDY, first_date=made.WEEK["first_date"], last_date=made.WEEK["last_date"])
        settings.BUDGET_RUN_BYTES = told.bytes - 1
        before = bytes_read(connection, settings)
        with pytest.raises(Refused, match=r"This would read .* and one run may read .* \(BUDGET_RUN_BYTES\)"):
            studies.start_study(inputs=inputs)
        assert bytes_read(connection, settings) == before
        assert not Study.objects.exists()

        settings.BUDGET_RUN_BYTES = settings.BUDGET_DAY_BYTES = told.bytes
        studies.start_study(inputs=inputs)
        before = bytes_read(connection, settings)
        with pytest.raises(Refused, match="BUDGET_DAY_BYTES"):
            studies.start_study(inputs=inputs)
        assert bytes_read(connection, settings) == before

    row = Spending.objects.get()
    assert (row.told_files, row.told_bytes, row.told_rows) == (None, told.bytes, told.rows)
