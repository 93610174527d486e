"""Signup events that an import makes: one for each user, at the right moment, never twice."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from events.importing.import_file import import_files
from events.importing.import_report import ImportReport
from events.importing.options import ImportOptions, Signup, SignupFrom
from events.importing.parquet_files import Job
from events.store import event_table
from events.warehouse import engine
from runs.progress import Cancelled

OPTIONS = ImportOptions(user="user", time="time", event="event")
FIRST = Signup(SignupFrom.FIRST)


@pytest.fixture(autouse=True)
def own_store(settings: Any, tmp_path: Path) -> None:
    settings.EVENTS_URL = str(tmp_path / "store")


@pytest.fixture
def bring(tmp_path: Path) -> Callable[..., ImportReport]:
    def _bring(rows: str, signup: Signup | None = FIRST, **changes: Any) -> ImportReport:
        path = tmp_path / "a.csv"
        path.write_text("user,time,event,day\n" + rows)
        return import_files([path], replace(OPTIONS, signup=signup, **changes))

    return _bring


def stored(event: str = "signup") -> list[tuple[str, str, str]]:
    if not event_table.exists():
        return []
    with engine.connect() as house:
        frame = house.run(house.named(house.events))
    rows = zip(frame.user_id, frame.event, frame.time, frame.properties, strict=True)
    return sorted(
        (user, f"{time:%m-%d}", json.loads(text).get("made_from", ""))
        for user, name, time, text in rows
        if name == event
    )


def test_first__each_user_once_at_their_first_event(bring: Callable[..., ImportReport]) -> None:
    report = bring("u,2024-03-02,a,\nu,2024-03-01,b,\nv,2024-03-05,a,\nv,2024-03-05,a,\n,2024-03-01,a,\n", max_bad=1)

    assert stored() == [("u", "03-01", "first"), ("v", "03-05", "first")]
    assert (report.rows, report.imported, report.already_there, report.signups) == (5, 4, 0, 2)
    assert (report.users, report.oldest[:10], report.newest[:10]) == (2, "2024-03-01", "2024-03-05")


def test_first__same_file_again__adds_nothing(bring: Callable[..., ImportReport]) -> None:
    rows = "u,2024-03-02,a,\nu,2024-03-01,b,\nu,2024-03-01,b,\n"
    bring(rows)

    report = bring(rows)

    assert (report.imported, report.already_there, report.signups) == (0, 3, 0)
    assert stored() == [("u", "03-01", "first")]


@pytest.mark.slow
def test_first__later_file_of_the_same_users__keeps_their_signup(bring: Callable[..., ImportReport]) -> None:
    bring("u,2024-03-02,a,\n")

    bring("u,2024-03-09,a,\nv,2024-03-09,a,\n")

    assert stored() == [("u", "03-02", "first"), ("v", "03-09", "first")]


def test_first__earlier_file__signs_up_earlier(bring: Callable[..., ImportReport]) -> None:
    bring("u,2024-03-02,a,\n")

    bring("u,2024-03-01,a,\n")

    assert stored()[0] == ("u", "03-01", "first")


def test_first__file_with_a_signup_before__makes_none(bring: Callable[..., ImportReport]) -> None:
    report = bring("u,2024-03-01,signup,\nu,2024-03-02,a,\n")

    assert (report.signups, stored()) == (0, [("u", "03-01", "")])


def test_column__earliest_day_of_each_user(bring: Callable[..., ImportReport]) -> None:
    report = bring(
        "u,2024-03-02,a,20240301\nu,2024-03-03,a,20240228\nv,2024-03-05,a,\n",
        Signup(SignupFrom.COLUMN, "day", "%Y%m%d"),
    )

    assert stored() == [("u", "02-28", "column")]
    assert report.signups == 1


def test_event__first_of_that_name(bring: Callable[..., ImportReport]) -> None:
    bring(
        "u,2024-03-01,a,\nu,2024-03-04,join,\nu,2024-03-03,join,\nv,2024-03-05,a,\n",
        Signup(SignupFrom.EVENT, event="join"),
    )

    assert stored() == [("u", "03-03", "event")]
    assert len(stored("join")) == 2


def test_none__no_event_is_made(bring: Callable[..., ImportReport]) -> None:
    assert bring("u,2024-03-01,a,\n", None).signups == 0
    assert stored() == []


def test_first__with_given_ids__counts_rows_and_signups_apart(bring: Callable[..., ImportReport]) -> None:
    report = bring("u,2024-03-01,a,1\nu,2024-03-02,a,1\nu,2024-03-03,a,2\n", message_id="day")

    assert (report.imported, report.already_there, report.signups) == (2, 1, 1)


@pytest.mark.parametrize("step", ["read", "compare", "signup", "store"])
def test_cancelled__in_any_step__nothing_is_kept(
    bring: Callable[..., ImportReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    bring("x,2024-03-01,a,\n")
    before = sorted(path for path in (tmp_path / "store").rglob("*") if path.is_file())
    asked: list[str] = []
    run = Job.run

    def told(self: Job, sql: str, name: str, rows: int = 0) -> list[tuple[Any, ...]]:
        asked.append(name)
        found = run(self, sql, name, rows)
        if name == step:
            raise Cancelled
        return found

    monkeypatch.setattr(Job, "run", told)
    with pytest.raises(Cancelled):
        bring("u,2024-03-01,a,\nu,2024-03-01,a,\nx,2024-03-01,a,\n")

    assert asked[-1] == step
    assert sorted(path for path in (tmp_path / "store").rglob("*") if path.is_file()) == before
    assert stored("a") == [("x", "03-01", "")]


def test_cancelled__in_a_long_statement__ends_it_at_once(tmp_path: Path) -> None:
    import time

    from events.importing.source_files import scratch

    def stop(step: str, percent: float, speed: float) -> None:
        raise Cancelled

    with scratch(tmp_path) as connection:
        began = time.monotonic()
        with pytest.raises(Cancelled):
            Job(connection, OPTIONS, stop, tmp_path).run(
                "SELECT sum(hash(a.range + b.range)) FROM range(3000000) a, range(3000000) b", "read"
            )

    assert time.monotonic() - began < 300  # of hours


ROWS = "u,2024-03-02,install,\nu,2024-03-01,b,\nv,2024-03-05,a,\nv,2024-03-04,a,\n"
INSTALL = Signup(SignupFrom.EVENT, event="install")


def test_event__users_without_it__are_counted_and_in_no_study(bring: Callable[..., ImportReport]) -> None:
    report = bring(ROWS, INSTALL)

    assert stored() == [("u", "03-02", "event")]
    assert (report.users, report.signups, report.without_signup) == (2, 1, 1)


def test_event__others_from_their_first__have_theirs_and_say_so(bring: Callable[..., ImportReport]) -> None:
    bring(ROWS, INSTALL)

    report = bring(ROWS, replace(INSTALL, others=True))

    assert stored() == [("u", "03-02", "event"), ("v", "03-04", "first")]
    assert (report.imported, report.signups, report.without_signup) == (0, 1, 0)


def test_column__others_from_their_first__have_theirs(bring: Callable[..., ImportReport]) -> None:
    column = Signup(SignupFrom.COLUMN, column="day", others=True)

    report = bring("u,2024-03-02,a,2024-03-01\nv,2024-03-05,a,\n", column)

    assert stored() == [("u", "03-01", "column"), ("v", "03-05", "first")]
    assert report.without_signup == 0


@pytest.mark.parametrize(
    ("rows", "without"),
    [
        ("u,2024-03-09,signup,\nv,2024-03-09,a,\nw,2024-03-09,a,\n", 1),  # v signed up in the store
        ("v,2024-03-09,a,\nw,2024-03-09,a,\n", 0),  # no signup at all: it comes from elsewhere
    ],
)
def test_none__file_with_signups_of_some__those_of_the_store_count(
    bring: Callable[..., ImportReport], rows: str, without: int
) -> None:
    bring("v,2024-03-02,signup,\n", None)

    assert bring(rows, None).without_signup == without
