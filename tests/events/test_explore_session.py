"""Explore's snapshot of the store: read again while it holds, never after an erasure, and what is kept of it."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import pytest
from pytest_django import Settings

from events import erasure
from events.outbox.rows import to_table
from events.store import event_table
from events.warehouse import daily_tables, explore_session
from events.warehouse.explore_session import Prepared, Stop, prepared
from runs.progress import Cancelled, silent
from runs.site_zone import choose_site_zone
from tests.events.conftest import erased

pytestmark = pytest.mark.django_db
START = datetime(2024, 3, 4, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, settings: Settings) -> Path:
    settings.EVENTS_URL, settings.EXPLORE_DIR = str(tmp_path / "events"), str(tmp_path / "explore")
    return tmp_path


def put(version: int, *users: str, event: str = "signup") -> None:
    moment = START + timedelta(hours=version)
    rows = [(user, event, moment, "{}", f"{version}-{user}", moment) for user in users]
    assert event_table.append(to_table(rows), app_id="test", version=version)


def look(**more: Any) -> tuple[set[tuple[str, str]], Path]:
    """User and event of every row, by the user's own name, and where the snapshot's files are kept."""
    with prepared(day_mode="rolling", stop=Stop(), progress=silent, **more) as asked:
        rows = asked.rows(asked.warehouse.named(asked.log.select("user_id", "event").distinct()))
        return {(row["user_id"], row["event"]) for row in rows}, asked.folder


def test_snapshot__store_grows__is_a_new_one() -> None:
    put(1, "a", "b")
    _, before = look()
    put(2, "b", "한글", event="play")

    rows, after = look()

    assert rows == {("a", "signup"), ("b", "signup"), ("b", "play"), ("한글", "play")}
    assert after != before


def test_snapshot__same_store__is_not_prepared_again(monkeypatch: pytest.MonkeyPatch) -> None:
    put(1, "a")
    _, before = look()
    monkeypatch.setattr(daily_tables, "counts", lambda *_, **__: pytest.fail("it was made again"))
    monkeypatch.setattr(explore_session, "span_of", lambda *_: pytest.fail("it was asked again"))

    _, after = look()

    assert after == before


@pytest.mark.slow
@pytest.mark.parametrize("how", ["erased", "compacted"])
@pytest.mark.parametrize("share", [0.01, 10.0])
def test_snapshot__file_left_the_store__is_never_current_enough(
    monkeypatch: pytest.MonkeyPatch, how: str, share: float
) -> None:
    monkeypatch.setattr(explore_session, "LITTLE", share)
    put(1, "a", "b")
    put(2, "a", event="play")
    _, before = look()
    if how == "erased":
        erased("b")
    else:
        event_table.compact()

    rows, after = look()

    assert after != before
    assert ({user for user, _ in rows} == {"a"}) is (how == "erased")


@pytest.mark.slow
@pytest.mark.parametrize(("share", "seconds", "newest"), [(10.0, 600, False), (0.0, 600, True), (10.0, 0, True)])
def test_snapshot__little_has_come_since__is_current_enough(
    monkeypatch: pytest.MonkeyPatch, share: float, seconds: int, newest: bool
) -> None:
    put(1, "a")
    look()
    monkeypatch.setattr(explore_session, "LITTLE", share)
    monkeypatch.setattr(explore_session, "YOUNG_SECONDS", seconds)
    put(2, "b")

    rows, _ = look()

    assert (("b", "signup") in rows) is newest
    assert ("b", "signup") in look(newest=True)[0]


def test_erasure__deletes_what_is_kept_in_every_zone() -> None:
    put(1, "a", "b")
    look()
    choose_site_zone("Asia/Seoul")
    look()
    assert len(explore_session.folders()) == 2
    erased("b")

    assert erasure.remove_prepared(["b"]) >= 4

    assert explore_session.folders() == []
    assert look()[0] == {("a", "signup")}


def test_kept_files__of_an_earlier_snapshot__and_a_former_copy__are_removed_later() -> None:
    put(1, "a", "b")
    _, first = look()
    copy = explore_session.folder() / "0123abcd"
    copy.mkdir()
    (copy / "log-0.parquet").write_bytes(b"PAR1")  # as 0.5 copied the log
    state = explore_session.folder() / "state-2.json"
    state.write_text("{}")
    put(2, "c")
    look()
    assert first.exists()  # a question may still be reading it
    for path in (first, copy, state):
        os.utime(path, (0, 0))
    put(3, "d")

    look()

    assert [path for path in (first, copy, state) if path.exists()] == []


def test_preparation__stopped_on_its_way__raises_and_the_next_goes_on() -> None:
    put(1, "a")
    heard: list[tuple[str, float]] = []

    def listen(stage: str, share: float) -> None:
        heard.append((stage, share))
        if share:
            raise Cancelled

    with pytest.raises(Cancelled), prepared(day_mode="rolling", stop=Stop(), progress=listen):
        pass

    assert heard == [("numbering", 0.0), ("numbering", 0.5)]
    assert look()[0] == {("a", "signup")}


@pytest.mark.parametrize("kept", [False, True])
def test_event_names__of_days_and_log_together__have_the_most_frequent_first(kept: bool) -> None:
    put(1, "a", "b", event="shop")
    put(2, "a", "b", "c", event="play")
    if kept:
        daily_tables.refresh()
    put(40, "a", "b", event="shop")

    with prepared(day_mode="rolling", stop=Stop(), progress=silent) as asked:
        assert asked.event_names() == ["shop", "play"]


def test_kept_tables__beyond_their_room__the_least_used_goes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(1, "a")
    made: list[str] = []

    def table(asked: Prepared, name: str) -> None:
        def question() -> Any:
            made.append(name)
            return asked.log

        asked.kept(name, question)
        for path in asked.folder.glob("*.parquet"):
            old = path.stat().st_mtime - 100
            os.utime(path, (old, old))

    settings.EXPLORE_KEEP_MB = 0
    with prepared(day_mode="rolling", stop=Stop(), progress=silent) as asked:
        for name in ("one", "one", "two", "one"):
            table(asked, name)

    assert made == ["one", "two", "one"]


def test_kept_table__made_by_two_at_once__is_never_replaced_under_its_readers() -> None:
    put(1, "a")
    files: list[int] = []

    with (
        prepared(day_mode="rolling", stop=Stop(), progress=silent) as slow,
        prepared(day_mode="rolling", stop=Stop(), progress=silent) as quick,
    ):

        def question() -> Any:
            quick.kept("one", lambda: quick.log)
            files.extend(path.stat().st_ino for path in slow.folder.iterdir())
            return slow.log

        rows = slow.rows(slow.kept("one", question))

        assert [path.stat().st_ino for path in slow.folder.iterdir()] == files
        assert len(rows) == 1


def test_kept_table__where_files_have_one_name_only__is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    put(1, "a")

    def refuse(*names: Path) -> None:
        raise PermissionError(*names)

    monkeypatch.setattr(os, "link", refuse)
    with prepared(day_mode="rolling", stop=Stop(), progress=silent) as asked:
        before = set(asked.folder.iterdir())
        rows = asked.rows(asked.kept("one", lambda: asked.log))

        (path,) = set(asked.folder.iterdir()) - before
    assert (len(rows), path.suffix) == (1, ".parquet")


@pytest.mark.slow
def test_stop__while_the_engine_works__ends_it() -> None:
    put(1, "a")
    stop = Stop()
    threading.Timer(3.0, stop.now).start()
    started = time.monotonic()

    with pytest.raises(Cancelled):
        _ask_for_an_hour(stop)

    assert time.monotonic() - started < 300


def _ask_for_an_hour(stop: Stop) -> None:
    with prepared(day_mode="rolling", stop=stop, progress=silent) as asked:
        one, two, three = (ibis.range(0, 30_000).unnest().name(name).as_table() for name in "nmk")
        pairs = one.cross_join(two).cross_join(three)
        asked.warehouse.run(pairs.aggregate(s=(pairs.n * pairs.m - pairs.k).max()))
