"""The numbered log: made once, added to, made anew when something has left the store, and kept small."""

import fcntl
import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import pytest
from pytest_django import Settings

from events.outbox.rows import to_table
from events.store import event_table, ownership
from events.warehouse import explore_session, materialised_log
from events.warehouse.explore_session import Prepared, Stop, prepared
from runs.progress import Cancelled, silent
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


def look() -> tuple[set[tuple[str, str]], materialised_log.NumberedLog]:
    """User and event of every row, by the user's own name."""
    with prepared(day_mode="rolling", stop=Stop(), progress=silent) as asked:
        names = asked.names.rename(name="user_id", user_id="number")
        named = asked.log.join(names, "user_id")
        rows = asked.rows(named.select("name", "event"))
        return {(row["name"], row["event"]) for row in rows}, asked.numbers


def test_log__grows__keeps_its_numbers_and_gets_one_more_part() -> None:
    put(1, "a", "b")
    _, before = look()
    put(2, "b", "한글", event="play")

    rows, after = look()

    assert rows == {("a", "signup"), ("b", "signup"), ("b", "play"), ("한글", "play")}
    assert (before.parts, after.parts) == (1, 2)
    assert (after.users, after.events) == (3, 4)
    assert after.generation == before.generation


def test_log__same_store__is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    put(1, "a")
    look()
    monkeypatch.setattr(materialised_log, "_make", lambda *_: pytest.fail("it was made again"))

    look()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["erased", "compacted"])
def test_log__file_left_the_store__everything_is_made_anew(how: str) -> None:
    put(1, "a", "b")
    put(2, "a", event="play")
    _, before = look()
    if how == "erased":
        erased("b")
    else:
        event_table.compact()

    rows, after = look()

    assert after.generation != before.generation
    assert ({user for user, _ in rows} == {"a"}) is (how == "erased")
    if how == "erased":
        assert after.users == 1


@pytest.mark.slow
@pytest.mark.parametrize(("share", "seconds", "waits"), [(10.0, 600, False), (0.0, 600, True), (10.0, 0, True)])
def test_log__little_has_come_since__is_current_enough(
    monkeypatch: pytest.MonkeyPatch, share: float, seconds: int, waits: bool
) -> None:
    put(1, "a")
    look()
    monkeypatch.setattr(materialised_log, "LITTLE", share)
    monkeypatch.setattr(materialised_log, "YOUNG_SECONDS", seconds)
    put(2, "b")

    rows, _ = look()

    assert (("b", "signup") in rows) is waits


@pytest.mark.slow
def test_log__somebody_was_erased__is_never_current_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    put(1, "a", "b")
    look()
    monkeypatch.setattr(materialised_log, "LITTLE", 10.0)
    erased("b")

    rows, _ = look()

    assert rows == {("a", "signup")}


@pytest.mark.slow
def test_log__too_many_parts__are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materialised_log, "MOST_PARTS", 2)
    for version in range(1, 4):
        put(version, f"u{version}")
        rows, log = look()

    assert len(rows) == 3
    assert log.parts == 1


@pytest.mark.slow
def test_generation__replaced_a_while_ago__is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    put(1, "a", "b")
    _, first = look()
    erased("b")
    look()
    assert first.folder.exists()  # a question may still be reading it
    old = time.time() - materialised_log.KEEP_SECONDS - 10
    os.utime(first.folder, (old, old))
    put(2, "c")

    look()

    assert not first.folder.exists()


def test_log__ended_in_the_middle__goes_on_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materialised_log, "PART_BYTES", 1)
    put(1, "a")
    put(2, "b")
    seen: list[float] = []

    def stop_at_half(stage: str, share: float) -> None:
        seen.append(share)
        if share >= 0.5:
            raise Cancelled

    with pytest.raises(Cancelled), prepared(day_mode="rolling", stop=Stop(), progress=stop_at_half):
        pass
    _, log = look()

    assert (seen[0], seen[-1]) == (0.0, 0.5)
    assert seen == sorted(seen)
    assert (log.parts, log.users) == (2, 2)


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
        for path in explore_session.kept_folder(asked.numbers).glob("*.parquet"):
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
            files.extend(path.stat().st_ino for path in explore_session.kept_folder(slow.numbers).iterdir())
            return slow.log

        rows = slow.rows(slow.kept("one", question))

        assert [path.stat().st_ino for path in explore_session.kept_folder(slow.numbers).iterdir()] == files
        assert len(rows) == 1


def test_kept_table__where_files_have_one_name_only__is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    put(1, "a")

    def refuse(*names: Path) -> None:
        raise PermissionError(*names)

    monkeypatch.setattr(os, "link", refuse)
    with prepared(day_mode="rolling", stop=Stop(), progress=silent) as asked:
        rows = asked.rows(asked.kept("one", lambda: asked.log))

        (path,) = explore_session.kept_folder(asked.numbers).iterdir()
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


def test_folder__of_an_older_layout__is_made_anew_and_removed(places: Path) -> None:
    put(1, "a", "b")
    put(2, "a", event="play")
    old = materialised_log.folder() / "0123abcd"
    old.mkdir(parents=True)
    for name in ("log-0.parquet", "users-0.parquet"):  # as 0.4 laid it out, without days and events
        (old / name).write_bytes(b"PAR1")
    sources = sorted(ownership.files_to_read())
    state = {"generation": old.name, "version": materialised_log.version_of(sources), "sources": sources, "parts": 1}
    state |= {"users": 2, "events": 3, "oldest": "2024-03-04T10:00:00", "newest": "2024-03-04T12:00:00"}
    (materialised_log.folder() / "state.json").write_text(json.dumps(state | {"day_grain": False}))
    long_ago = time.time() - materialised_log.KEEP_SECONDS - 10
    os.utime(old, (long_ago, long_ago))

    rows, log = look()

    assert rows == {("a", "signup"), ("b", "signup"), ("a", "play")}
    assert log.generation != old.name
    assert not old.exists()
    assert not (materialised_log.folder() / "state.json").exists()


def test_log__another_process_is_making_it__the_question_hears_how_far_and_can_be_ended() -> None:
    put(1, "a")
    look()
    put(2, "b")
    heard: list[tuple[str, float]] = []

    def listen(stage: str, share: float) -> None:
        heard.append((stage, share))
        if len(heard) == 3:
            raise Cancelled

    place = materialised_log.folder() / "lock"
    with place.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Cancelled), prepared(day_mode="rolling", stop=Stop(), progress=listen, newest=True):
            pass

    assert {stage for stage, _ in heard} == {"numbering"}
    assert all(0 < share < 1 for _, share in heard)


@pytest.mark.slow
def test_event_names__of_several_parts__are_counted_together() -> None:
    put(1, "a", "b", event="shop")
    put(2, "a", "b", "c", event="play")
    with prepared(day_mode="rolling", stop=Stop(), progress=silent):
        pass
    put(3, "a", "b", event="shop")

    with prepared(day_mode="rolling", stop=Stop(), progress=silent) as asked:
        assert asked.event_names() == ["shop", "play"]
        assert asked.numbers.parts == 2
