"""The daily tables: made from the log, the same answers whatever happened to it, and nothing of those who are gone."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from django.conf import settings as site_settings
from django.db import connections
from pyarrow import parquet

from events.outbox.rows import count_as
from events.store import event_table, place, rewrite
from events.store.snapshot import EventFile
from events.warehouse import daily_tables, queries
from events.warehouse.daily_tables import DAILY, FIRSTS, Refreshed, chained, refresh, sources
from events.warehouse.session import WarehouseSession, questions
from events.windows import Clock, DayMode
from runs.site_zone import choose_site_zone, site_zone
from tests.events.conftest import erased
from tests.events.test_bounds import CLOCKS, _scans
from tests.marks import first_in_ci

pytestmark = pytest.mark.django_db
FIRST = datetime(2026, 1, 1, 15, tzinfo=UTC)

type Event = tuple[str, str, datetime]


def at(day: float) -> datetime:
    return FIRST + timedelta(days=day)


def store(events: Sequence[Event], version: int, *, arrived: timedelta = timedelta(0)) -> None:
    times = [moment for _, _, moment in events]
    table = pa.table(
        {
            "user_id": [user for user, _, _ in events],
            "event": [event for _, event, _ in events],
            "time": pa.array(times, pa.timestamp("us", tz="UTC")),
            "properties": pa.nulls(len(events), pa.string()),
            "message_id": [f"{version}-{place}" for place in range(len(events))],
            "received_at": pa.array([moment + arrived for moment in times], pa.timestamp("us", tz="UTC")),
        }
    )
    event_table.append(table, app_id="test", version=version)


def a_log(days: int = 20) -> list[Event]:
    """Three users begin each day, some play before they sign up, and everybody plays on some later days."""
    events = []
    for day in range(days):
        for user in range(3):
            name, begun = f"u{day}-{user}", at(day + user / 3)
            events += [(name, "signup", begun), (name, "play", begun - timedelta(hours=30 * (user == 2)))]
            events += [(name, "play", begun + timedelta(hours=19 * k)) for k in range(1, (day + user) % 5)]
    return [event for event in events if event[2] < at(days)]


def answered(session: WarehouseSession, anchor: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cohort as the session gives it and as the log alone does, by id."""
    both = session.cohort(anchor), queries.cohort(session.log, anchor, session.basis)
    found, right = (session.units(table).sort_values("user_id").reset_index(drop=True) for table in both)
    return found, right


def same_as_the_log(days: int = 20) -> None:
    """Whatever is asked: with and without dates, on the edges of what is kept, by each clock."""
    newest = at(days).date()
    spans = [(None, None), (at(4).date(), at(5).date()), (newest - timedelta(days=2), newest), (at(7).date(), None)]
    spans += [(None, at(3).date()), (at(-5).date(), at(-4).date())]
    for clock in CLOCKS[:2]:
        with questions(day_mode=clock.mode, time_zone=clock.time_zone) as whole:
            for anchor in ("signup", "*", "nothing"):
                for first, last in spans:
                    found, right = answered(whole.about(first, last), anchor)
                    pd.testing.assert_frame_equal(found, right, obj=f"{anchor} {first} {last} {clock}")


def reads_the_log(first: date, last: date, anchor: str = "signup") -> bool:
    with questions() as whole:
        session = whole.about(first, last)
        return '"stored"' in str(session.warehouse.backend.compile(session.cohort(anchor)))


# ── what is made ──────────────────────────────────────────────────────────────
def test_daily__of_a_log__has_a_row_for_each_user_event_and_local_date(event_store: Path) -> None:
    choose_site_zone("Asia/Seoul")
    events = [("a", "play", at(0)), ("a", "play", at(0.1)), ("a", "play", at(0.5)), ("b", "play", at(0.5))]
    events += [("a", "signup", at(1))]
    store(events, 1)

    made = refresh()

    zone = site_zone()
    local = [(user, event, Clock(DayMode.CALENDAR, zone).local_date(moment)) for user, event, moment in events]
    with questions() as session:
        files = [file for some in daily_tables.table(DAILY, zone).files().values() for file in some]
        rows = session.warehouse.arrow(session.warehouse.kept_rows(files)).to_pylist()
    numbers = {"a": 1, "b": 2}
    found = {(row["user"], row["event"], row["day"]): row["n"] for row in rows if row["user"]}
    assert found == {(numbers[user], event, day): n for (user, event, day), n in Counter(local).items()}
    assert made == Refreshed(days=len({day for _, _, day in local}), firsts=len({day for _, _, day in local}))


def test_refresh__of_an_unchanged_store__does_nothing(event_store: Path) -> None:
    store(a_log(), 1)
    refresh()

    assert refresh() == Refreshed()


def test_refresh__after_a_new_day__counts_that_day_alone(event_store: Path) -> None:
    store(a_log(), 1)
    refresh()
    store([("new", "signup", at(20.5))], 2)

    assert refresh() == Refreshed(days=1, firsts=1)
    same_as_the_log(21)


def test_sources__of_files_that_reach_over_dates__name_each_of_them() -> None:
    files = [EventFile("a", 1, at(0), at(0)), EventFile("b", 1, at(0.5), at(2))]

    found = sources(files, "UTC")

    assert list(found) == [date(2026, 1, day) for day in (1, 2, 3)]
    assert found == sources(files[::-1], "UTC")
    assert found[date(2026, 1, 2)] == found[date(2026, 1, 3)] != found[date(2026, 1, 1)]


def test_chained__a_changed_date__changes_all_later_ones() -> None:
    days = {date(2026, 1, day): str(day) for day in range(1, 6)}

    before, after = chained(days), chained(days | {date(2026, 1, 3): "other"})

    assert [before[day] == after[day] for day in days] == [True, True, False, False, False]


# ── what is answered ──────────────────────────────────────────────────────────
def test_cohort__of_two_dates_that_are_kept__reads_no_file_of_the_log(event_store: Path) -> None:
    store(a_log(), 1)
    assert reads_the_log(at(5).date(), at(6).date())

    refresh()

    assert not reads_the_log(at(5).date(), at(6).date())
    assert not reads_the_log(at(5).date(), at(6).date(), "*")
    with questions() as whole:
        session = whole.about(at(5).date(), at(6).date())
        assert _scans(session.warehouse, session.cohort("signup")) == [2]
    same_as_the_log()


def test_cohort__beside_a_day_that_is_not_kept_yet__reads_that_day_of_the_log(event_store: Path) -> None:
    store(a_log(), 1)
    refresh()
    # One who begins again: not new, although the log of the newest day alone says so.
    store([("new", "signup", at(20.2)), ("u3-1", "signup", at(20.3)), ("u3-1", "play", at(20.3))], 2)

    with questions() as whole:
        found, right = answered(whole.about(at(20).date(), at(21).date()), "signup")

    assert list(found.user_id) == list(right.user_id) == ["new", "u19-2"]
    assert not reads_the_log(at(5).date(), at(6).date())
    same_as_the_log(21)


@pytest.mark.parametrize("late", [timedelta(days=2), timedelta(days=40)], ids=["late", "in the partition of its month"])
def test_cohort__after_a_late_event__is_that_of_the_log_before_and_after_the_refresh(
    event_store: Path, late: timedelta
) -> None:
    store(a_log(), 1)
    refresh()
    store([("u9-0", "signup", at(5.1)), ("u12-1", "play", at(2.1))], 2, arrived=late)

    same_as_the_log()
    refresh()
    same_as_the_log()


def test_refresh__that_is_stopped_between_days__leaves_only_what_is_right(
    event_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(a_log(), 1)
    refresh()
    store([("u9-0", "signup", at(5.1)), ("u12-1", "play", at(2.1))], 2)
    monkeypatch.setattr(daily_tables, "MOST_ROWS", 1)  # each day by itself
    calls = iter(range(99))

    def check() -> None:
        # Two days are counted, and first times found up to the later of them, but not on the day that was u9-0's first.
        if next(calls) == 6:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        refresh(check=check)

    same_as_the_log()
    refresh()
    same_as_the_log()


def test_cohort__of_ids_that_are_joined_later__counts_persons(event_store: Path) -> None:
    store(a_log(), 1)
    refresh()

    assert count_as({"u9-0": "u2-1", "u11-2": "u11-1"}) == 2

    same_as_the_log()
    refresh()
    same_as_the_log()


def test_cohort__after_compaction__is_the_same(event_store: Path) -> None:
    for version, part in enumerate((a_log()[0::2], a_log()[1::2]), start=1):
        store(part, version)
    refresh()

    assert event_table.compact()["added"]

    same_as_the_log()
    refresh()
    same_as_the_log()
    assert not reads_the_log(at(5).date(), at(6).date())


def test_erasure__of_a_person__leaves_nothing_of_them_in_the_tables(event_store: Path) -> None:
    store(a_log(), 1)
    refresh()
    with questions() as session:
        numbers = session.warehouse.users.known  # type: ignore[union-attr]
        gone = int(session.run(numbers.filter(numbers.known_id == "u4-1")).known_number.iloc[0])
    assert any(gone in users for users in _users_of_files(event_store))

    assert erased("u4-1")
    assert daily_tables.forget_changed()

    assert not any(gone in users for users in _users_of_files(event_store))
    same_as_the_log()
    refresh()
    same_as_the_log()
    assert not any(gone in users for users in _users_of_files(event_store))


def test_erasure__while_the_tables_are_refreshed__leaves_nothing_either(event_store: Path) -> None:
    store(a_log(), 1)
    with questions() as session:
        numbers = session.warehouse.users.known  # type: ignore[union-attr]
        gone = int(session.run(numbers.filter(numbers.known_id == "u4-1")).known_number.iloc[0])
    left = ["u4-1"]

    def erase() -> None:
        if left:
            erased(left.pop())

    refresh(check=erase)

    assert not left
    assert not any(gone in users for users in _users_of_files(event_store))
    same_as_the_log()


def _users_of_files(folder: Path) -> list[set[int]]:
    """The users in each Parquet file of the tables, named by a commit or not."""
    files = [path for name in (DAILY, FIRSTS) for path in (folder / place.DERIVED).rglob(f"{name}/**/*.parquet")]
    return [set(parquet.ParquetFile(path).read(columns=["user"]).column("user").to_pylist()) for path in files]


def test_everything_erased__leaves_empty_tables(event_store: Path) -> None:
    store([("a", "signup", at(0)), ("b", "signup", at(1))], 1)
    refresh()

    assert erased("a", "b")
    refresh()

    assert not daily_tables.table(DAILY, site_zone()).files()
    assert not daily_tables.table(FIRSTS, site_zone()).files()


def test_vacuum__of_the_store_after_an_erasure__leaves_the_tables_alone(event_store: Path) -> None:
    store(a_log(), 1)
    refresh()
    made = [path for path in (event_store / place.DERIVED).rglob("*") if path.is_file()]
    for path in made:
        os.utime(path, (0, 0))  # of 1970: older than any file that an erasure leaves in peace

    event_table.vacuum()
    rewrite.drop_what_was()

    assert all(path.exists() for path in made)

    assert not reads_the_log(at(5).date(), at(6).date())
    same_as_the_log()


def test_zone__of_the_site_changes__tables_of_the_former_one_go_with_the_next_refresh(event_store: Path) -> None:
    store(a_log(), 1)
    refresh()
    before = site_zone()

    choose_site_zone("Asia/Seoul" if before != "Asia/Seoul" else "UTC")
    same_as_the_log()
    refresh()

    assert [path.name for path in (event_store / place.DERIVED).iterdir() if any(path.rglob("*.parquet"))] == [
        site_zone().replace("/", "--")
    ]
    assert not reads_the_log(at(5).date(), at(6).date())
    same_as_the_log()


def test_names__of_the_log__are_those_that_the_log_itself_gives(event_store: Path) -> None:
    store(a_log(), 1)
    refresh()
    store([("new", "chat", at(20.5)), ("u1-1", "play", at(20.6))], 2)
    count_as({"u9-0": "u2-1"})

    with questions() as session:
        found, right = (
            session.run(table.order_by("event"))
            for table in (
                session.event_names(),
                queries.event_names(session.log).select("event", "users", "first_time"),
            )
        )
    pd.testing.assert_frame_equal(found, right, check_dtype=False)
    assert list(found.event) == ["chat", "play", "signup"]


def test_store__without_events__has_no_tables(event_store: Path) -> None:
    assert refresh() == Refreshed()


# ── killed ────────────────────────────────────────────────────────────────────
REFRESHES = """import django; django.setup()
from events.warehouse import daily_tables
print("ready", flush=True)
while True:
    daily_tables.refresh()
"""


@pytest.mark.slow
@pytest.mark.parametrize("kills", first_in_ci([3, 50]))
@pytest.mark.django_db(transaction=True)
def test_refresh__killed_while_events_come__tables_are_those_made_anew(event_store: Path, kills: int) -> None:
    store(a_log(10), 1)
    connections.close_all()
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "insight_site.settings", "EVENTS_URL": event_table.url()}
    chance = random.Random(20261202)
    for kill in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", REFRESHES], cwd=site_settings.BASE_DIR, env=environment, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        late = timedelta(days=40 * (kill % 3 == 0))
        store([(f"k{kill}", "signup", at(chance.uniform(0, 12))), ("u1-1", "play", at(11))], kill + 2, arrived=late)
        time.sleep(chance.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.communicate()

    refresh()
    found = rows_of_tables()
    shutil.rmtree(event_store / place.DERIVED)
    refresh()

    assert found == rows_of_tables()
    assert sum(len(rows) for rows in found.values()) > 100
    same_as_the_log(12)


def rows_of_tables() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of both tables, in order."""
    found = {}
    with questions() as session:
        for name in (DAILY, FIRSTS):
            files = [file for some in daily_tables.table(name, site_zone()).files().values() for file in some]
            rows = session.warehouse.arrow(session.warehouse.kept_rows(files)).to_pylist()
            found[name] = sorted(tuple(map(str, row.values())) for row in rows)
    return found
