"""Each user has one number, each number one user, whoever writes, and no number is given twice."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest
from django.core.management import CommandError, call_command

from events.importing import import_file, numbering
from events.store import event_table, place
from events.store.dictionary import numbers_of
from tests.events.conftest import asked, erased, file_uris
from tests.events.user_numbers.conftest import in_events, numbers, rows

pytestmark = [pytest.mark.usefixtures("any_store"), pytest.mark.django_db(transaction=True)]
ROOT = Path(__file__).resolve().parents[3]


def test_append__users_known_and_new__one_commit_brings_events_and_numbers() -> None:
    event_table.append(rows(["a", "b", "a"], "x"), app_id="w", version=1)
    before = event_table.snapshot().handle.version()
    event_table.append(rows(["c", "b"], "y"), app_id="w", version=2)

    assert event_table.snapshot().handle.version() == before + 1
    assert numbers() == {"a": 1, "b": 2, "c": 3}
    assert in_events() == {("a", 1), ("b", 2), ("c", 3)}
    assert event_table.snapshot().unnumbered() == []


def test_append__without_rows__gives_no_number() -> None:
    event_table.append(event_table.SCHEMA.empty_table(), app_id="w", version=1)

    assert (numbers(), event_table.snapshot().highest()) == ({}, 0)


def test_files__of_events__are_never_the_dictionarys() -> None:
    event_table.append(rows(["a"], "x"), app_id="w", version=1)

    assert asked("SELECT DISTINCT event FROM read_parquet($files)", file_uris()) == [("e",)]
    assert [path for _, path in event_table.snapshot().files()] == file_uris()


def test_forget__then_seen_again__is_a_new_user_with_a_new_number() -> None:
    event_table.append(rows(["a", "b"], "x"), app_id="w", version=1)

    assert erased("b") == 1
    assert numbers() == {"a": 1}
    event_table.compact()
    event_table.append(rows(["c", "b"], "y"), app_id="w", version=2)

    assert numbers() == {"a": 1, "c": 3, "b": 4}
    assert in_events() == {("a", 1), ("c", 3), ("b", 4)}


def test_forget__while_a_batch_is_on_its_way__the_batch_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    event_table.append(rows(["a", "b"], "x"), app_id="w", version=1)
    write = deltalake.write_deltalake

    def overtaken(*arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(event_table, "write_deltalake", write)
        erased("a")
        write(*arguments, **options)

    monkeypatch.setattr(event_table, "write_deltalake", overtaken)
    event_table.append(rows(["a"], "y"), app_id="w", version=2)

    assert numbers() == {"b": 2, "a": 3}
    assert in_events() == {("b", 2), ("a", 3)}


@pytest.mark.slow
def test_append__by_several_writers_at_once__each_user_has_one_number() -> None:
    barrier = threading.Barrier(3)

    def write(writer: int) -> None:
        barrier.wait()
        for version in range(1, 6):
            users = [f"u{(writer + version * step) % 17}" for step in range(12)] + [f"own{writer}-{version}"]
            event_table.append(rows(users, f"{writer}-{version}"), app_id=f"w{writer}", version=version)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(write, range(3)))  # raises what a writer raised

    assert set(numbers().items()) == in_events()
    assert len(numbers()) == 17 + 15
    assert event_table.snapshot().highest() == 32


WRITER = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "insight_site.settings"
import django; django.setup()
from events.store import event_table as store
from tests.events.user_numbers.conftest import rows
writer = sys.argv[1]
for version in range(1, 5):
    users = [f"u{place}" for place in range(version * 5)] + [f"own{writer}-{version}"]
    store.append(rows(users, f"{writer}-{version}"), app_id=writer, version=version)
"""


@pytest.mark.slow
def test_append__by_two_processes_at_once__each_user_has_one_number(any_store: str) -> None:
    environment = {**os.environ, "EVENTS_URL": any_store}
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, name], cwd=ROOT, env=environment) for name in ("one", "two")
    ]

    assert [process.wait(120) for process in running] == [0, 0]
    assert set(numbers().items()) == in_events()
    assert len(numbers()) == 20 + 8


def imported(tmp_path: Path, *users: str) -> None:
    file = tmp_path / f"{'-'.join(users)}.csv"
    file.write_text("user,event,time\n" + "".join(f"{user},{user}-does,2024-03-01\n" for user in users))
    call_command("import_events", str(file), "--user", "user", "--event", "event", "--time", "time")


@pytest.mark.slow
def test_import__users_known_and_new__have_their_numbers(tmp_path: Path) -> None:
    event_table.append(rows(["b", "x"], "x"), app_id="w", version=1)

    imported(tmp_path, "a", "b", "c")

    assert numbers() == {"b": 1, "x": 2, "a": 3, "c": 4}
    assert in_events() == {("a", 3), ("b", 1), ("c", 4), ("x", 2)}
    assert event_table.snapshot().unnumbered() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("meanwhile", "expected"),
    [
        (lambda: event_table.append(rows(["other"], "y"), app_id="w", version=2), {"old", "other", "a"}),
        (lambda: event_table.append(rows(["a"], "y"), app_id="w", version=2), {"old", "a"}),
        (lambda: erased("old"), {"old", "a"}),
    ],
    ids=["another user", "the same user", "a user is erased"],
)
@pytest.mark.parametrize(
    ("module", "step"),
    [(import_file, "_stage"), (numbering, "write_entries"), (place, "place"), (numbering, "_write")],
    ids=["rows are written", "numbers are reserved", "files are placed", "rows are written again"],
)
def test_import__a_flush_or_erasure_commits_meanwhile__nobody_has_two_numbers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    step: str,
    meanwhile: Callable[[], Any],
    expected: set[str],
) -> None:
    event_table.append(rows(["old"], "x"), app_id="w", version=1)
    whole = getattr(module, step)

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(module, step, whole)
        done = whole(*arguments)
        meanwhile()
        return done

    monkeypatch.setattr(module, step, overtaken)
    if module is numbering:
        monkeypatch.setattr(import_file, "add_foretold", lambda *_, **__: False)
    imported(tmp_path, "a", "old")

    assert set(numbers()) == expected
    assert in_events() == set(numbers().items())


@pytest.mark.slow
def test_import__of_users_with_bad_rows_alone__gives_them_no_number(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("user,event,time\na,x,never\nb,x,2024-03-01\nc,,2024-03-01\n")
    columns = ["--user", "user", "--event", "event", "--time", "time"]

    with pytest.raises(CommandError):
        call_command("import_events", str(file), *columns)
    assert not event_table.exists()
    call_command("import_events", str(file), *columns, "--max-bad", "2")

    assert set(numbers()) == {"b"}
    assert in_events() == set(numbers().items())


@pytest.mark.slow
def test_import__again_with_more_rows__writes_only_the_repeated_days_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_file, "add_numbered", None)  # that it isn't needed
    imported(tmp_path, "a", "b")
    file = tmp_path / "more.csv"
    file.write_text("user,event,time\na,a-does,2024-03-01\nc,x,2024-03-01\nd,x,2024-03-02\n")

    call_command("import_events", str(file), "--user", "user", "--event", "event", "--time", "time")

    assert numbers() == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert in_events() == set(numbers().items())
    assert asked("SELECT count(*) FROM read_parquet($files)", file_uris()) == [(4,)]


def test_import__of_a_reserved_name__is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("user,event,time\nu,$user,2024-03-01\n")

    with pytest.raises(CommandError, match="itself uses"):
        call_command("import_events", str(file), "--user", "user", "--event", "event", "--time", "time")


def test_numbers_of__a_reader_of_the_dictionary__knows_no_joined_entry_for_a_number() -> None:
    event_table.append(rows(["a"], "x"), app_id="w", version=1)

    found = numbers_of(pa.array(["nobody", "a"]), event_table.snapshot().opened_dictionary())

    assert found.tolist() == [0, 1]
