"""`import_events` through the command line: formats, times, ids, bad rows, and nothing written when it fails."""

import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from django.core.management import CommandError, call_command

from events.importing import import_file, parquet_files
from events.importing.source_files import lines_at_bytes, open_source, scratch
from events.store import event_table
from events.store.dictionary import is_dictionary
from events.warehouse import engine
from tests.events.conftest import file_uris, files_there

pytestmark = pytest.mark.usefixtures("any_store")
BASE = ["--user", "user", "--event", "event", "--time", "time"]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    def _write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return str(path)

    return _write


def stored() -> list[tuple[str, str, str, str]]:
    """Every event as (user, event, UTC time, properties), sorted."""
    with engine.connect() as house:
        frame = house.run(house.named(house.events))
    times = [pd.Timestamp(moment).isoformat() for moment in frame.time]
    return sorted(zip(frame.user_id, frame.event, times, frame.properties, strict=True))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    call_command("import_events", *arguments, "--json")
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.csv", "user,event,time\n007,play,2024-03-01T10:00:00Z\n", []),
        ("a.csv.gz", "user,event,time\n007,play,2024-03-01 10:00\n", []),
        ("a.csv", "\ufeffuser,event,time\r\n007,play,2024-03-01T19:00:00+09:00\r\n", []),
        ("a.tsv", "event\ttime\tuser\nplay\t1709287200\t007\n", ["--time-format", "unix_s"]),
        ("a.txt", " user event  time \r\n 007  play 20240301-10\r\n\r\n", ["--separator", "whitespace"]),
        ("a.jsonl", '{"user": "007", "event": "play", "time": "2024-03-01T10:00:00Z"}\n\n', []),
        ("a.dat", "007|play|2024-03-01 05:00\n", ["--separator", "|", "--no-header"]),
    ],
)
def test_import__each_text_format__keeps_the_id_and_the_moment(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str], name: str, text: str, options: list[str]
) -> None:
    more = list(options)
    if "whitespace" in more:
        more += ["--time-format", "%Y%m%d-%H"]
    if "--no-header" in more:
        more += ["--columns", "user", "event", "time", "--time-zone", "America/New_York"]

    report = run(capsys, write(name, text), *BASE, *more)

    assert (report["rows"], report["imported"], report["bad"]) == (1, 1, {})
    assert stored() == [("007", "play", "2024-03-01T10:00:00", "{}")]


@pytest.mark.slow
def test_import__milliseconds_and_fractions__are_kept_to_the_microsecond(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str]
) -> None:
    run(capsys, write("a.csv", "user,event,time\nu,a,1709287200123\n"), *BASE, "--time-format", "unix_ms")
    run(capsys, write("b.csv", "user,event,time\nu,b,1709287200.000001\n"), *BASE, "--time-format", "unix_s")

    assert [row[2] for row in stored()] == ["2024-03-01T10:00:00.123000", "2024-03-01T10:00:00.000001"]


@pytest.mark.parametrize(
    ("wall", "utc"), [("2024-03-10 01:59:59", "2024-03-10T06:59:59"), ("2024-03-10 03:00:00", "2024-03-10T07:00:00")]
)
def test_import__change_of_clocks__uses_the_zone_of_that_day(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str], wall: str, utc: str
) -> None:
    run(capsys, write("a.csv", f"user,event,time\nu,a,{wall}\n"), *BASE, "--time-zone", "America/New_York")

    assert stored()[0][2] == utc


def test_import__parquet__keeps_types_and_takes_a_properties_object_as_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = pa.table(
        {
            "user": pa.array([7]),
            "event": ["play"],
            "time": pa.array([1709287200000000], pa.timestamp("us", tz="UTC")),
            "properties": ['{"level": 3}'],
            "message_id": ["m1"],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    arguments = [str(tmp_path / "a.parquet"), *BASE, "--properties", "properties", "--message-id", "message_id"]

    first, again = run(capsys, *arguments), run(capsys, *arguments)

    assert (first["imported"], again["imported"], again["already_there"]) == (1, 0, 1)
    assert stored() == [("7", "play", "2024-03-01T10:00:00", '{"level": 3}')]


def test_import__several_properties__become_one_object(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str]
) -> None:
    file = write("a.csv", 'user,event,time,level,map\nu,play,2024-03-01,03,"a, ""b"""\n')

    run(capsys, file, *BASE, "--properties", "level", "map")

    assert json.loads(stored()[0][3]) == {"level": "03", "map": 'a, "b"'}


@pytest.mark.slow
def test_import__repeated_rows__are_kept_and_a_second_import_changes_nothing(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str]
) -> None:
    row = "u,play,2024-03-01T10:00:00Z\n"
    short, longer = write("a.csv", "user,event,time\n" + row * 3), write("b.csv", "user,event,time\n" + row * 4)

    assert run(capsys, short, *BASE)["imported"] == 3
    before = file_uris()
    assert run(capsys, short, *BASE)["imported"] == 0
    assert file_uris() == before
    assert run(capsys, longer, *BASE)["imported"] == 1
    assert len(stored()) == 4
    with engine.connect() as house:
        assert house.run(house.events).message_id.is_unique


@pytest.mark.slow
def test_import__given_message_ids__count_once_within_and_across_files(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str]
) -> None:
    head = "user,event,time,id\n"
    a = write("a.csv", head + "u,x,2024-03-01,1\nu,y,2024-03-02,1\nu,z,2024-03-03,2\n")
    b = write("b.csv", head + "v,x,2024-03-09,2\nv,y,2024-03-04,3\n")

    report = run(capsys, a, b, *BASE, "--message-id", "id")

    assert (report["rows"], report["imported"], report["already_there"]) == (5, 3, 2)
    assert [row[:2] for row in stored()] == [("u", "x"), ("u", "z"), ("v", "y")]


BAD = 'user,event,time\nu,a,2024-03-01\n,b,2024-03-01\n"v\nw",c,2024-03-01\nu,d,soon\nu,e\nu,f,2024-03-02\n'


def test_import__three_bad_rows__names_their_lines_and_writes_nothing(write: Callable[[str, str], str]) -> None:
    file = write("a.csv", BAD)

    with pytest.raises(CommandError) as refused:
        call_command("import_events", file, *BASE, "--max-bad", "2")

    assert refused.value.returncode == 2
    for words in ("3 bad rows", f"{file}, line 3", f"{file}, line 6", f"{file}, line 7", "soon", "--max-bad 3"):
        assert words in str(refused.value)
    assert file_uris() == []


def test_import__as_many_bad_rows_as_allowed__imports_the_rest(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str]
) -> None:
    report = run(capsys, write("a.csv", BAD), *BASE, "--max-bad", "3")

    assert report["bad"] == {"bad_time": 1, "fields": 1, "missing_user": 1}
    assert (report["rows"], report["imported"]) == (6, 3)
    assert [row["line"] for row in report["examples"]] == [3, 6, 7]
    assert [row[:2] for row in stored()] == [("u", "a"), ("u", "f"), ("v\nw", "c")]


def test_import__bad_row_in_the_second_file__leaves_the_first_out_too(write: Callable[[str, str], str]) -> None:
    good, bad = write("a.csv", "user,event,time\nu,a,2024-03-01\n"), write("b.csv", "user,event,time\nu,a,\n")

    with pytest.raises(CommandError, match=r"b\.csv, line 2"):
        call_command("import_events", good, bad, *BASE)

    assert stored() == []


@pytest.mark.parametrize("time", ["infinity", "epoch", "2024-02-30", "1709287200", "10:00", "9999-01-01", "1899-12-31"])
def test_import__time_that_is_none__is_a_bad_row(write: Callable[[str, str], str], time: str) -> None:
    with pytest.raises(CommandError, match="line 2"):
        call_command("import_events", write("a.csv", f"user,event,time\nu,a,{time}\n"), *BASE)


def test_import__broken_json_line__is_named(write: Callable[[str, str], str]) -> None:
    good = '{"user": "u", "event": "a", "time": "2024-03-01"}\n'

    with pytest.raises(CommandError, match="line 2") as refused:
        call_command("import_events", write("a.jsonl", good + '{"user": \n' + "[1]\n" + good), *BASE)

    assert "line 3" in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.csv", *BASE], "no such file"),
        (["{}", "--user", "uid", "--event", "event", "--time", "time"], "no column 'uid'"),
        (["{}", "--user", "user", "--time", "time"], "--event"),
        (["{}", *BASE, "--event-name", "x"], "--event-name"),
        (["{}", *BASE, "--time-format", "iso8601"], "--time-format"),
        (["{}", *BASE, "--time-format", "%Q"], "can't be read"),
        (["{}", *BASE, "--time-zone", "Mars/Olympus"], "Mars/Olympus"),
        (["{}", *BASE, "--no-header"], "--columns"),
        (["{}", *BASE, "--separator", "::"], "--separator"),
        (["{}", *BASE, "--max-bad", "-1"], "--max-bad"),
        (["{}", *BASE, "--properties", "nothing"], "no column 'nothing'"),
    ],
)
def test_import__option_that_makes_no_sense__is_refused_in_one_line(
    write: Callable[[str, str], str], arguments: list[str], words: str
) -> None:
    file = write("a.csv", "user,event,time\nu,a,2024-03-01\n")

    with pytest.raises(CommandError) as refused:
        call_command(
            "import_events", *[argument.format(file) if "{}" in argument else argument for argument in arguments]
        )

    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.returncode == 2
    assert not event_table.exists() or stored() == []


@pytest.mark.slow
def test_import__another_import_commits_meanwhile__is_refused_and_leaves_no_file(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("a.csv", "user,event,time\nu,a,2024-03-01\nv,a,2024-03-02\n")
    event_table.snapshot()  # the table is there before either import

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(import_file, "settle", parquet_files.settle)
        run(capsys, file, *BASE)  # the other import, between our look at the store and our commit
        return parquet_files.settle(*arguments)

    monkeypatch.setattr(import_file, "settle", overtaken)
    with pytest.raises(CommandError, match="Another import") as refused:
        call_command("import_events", file, *BASE)

    assert refused.value.returncode == 2
    assert [row[0] for row in stored()] == ["u", "v"]
    assert len(files_there()) == 3  # one for each date, and the two users' numbers


@pytest.mark.slow
def test_import__row_once_in_one_file_and_thrice_in_another__is_kept_thrice(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str]
) -> None:
    row = "u,play,2024-03-01T10:00:00Z\n"
    once, thrice = write("a.csv", "user,event,time\n" + row), write("b.csv", "user,event,time\n" + row * 3)

    assert run(capsys, once, *BASE)["imported"] == 1
    assert run(capsys, thrice, *BASE)["imported"] == 2
    assert run(capsys, once, thrice, *BASE)["imported"] == 0
    assert len(stored()) == 3


@pytest.mark.slow
def test_import__repeats_on_one_of_two_dates__are_kept_beside_untouched_rows(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str]
) -> None:
    head, one, two = "user,event,time\n", "u,a,2024-03-01\n", "v,b,2024-03-02\n"
    report = run(capsys, write("a.csv", head + one * 2 + two), write("b.csv", head + one + two), *BASE)

    assert (report["rows"], report["imported"], report["already_there"]) == (5, 3, 2)
    assert [row[:2] for row in stored()] == [("u", "a"), ("u", "a"), ("v", "b")]


@pytest.mark.slow
def test_import__id_of_another_date_in_the_store__is_not_doubled(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str]
) -> None:
    head = "user,event,time,id\n"
    run(capsys, write("a.csv", head + "u,x,2024-03-01,1\n"), *BASE, "--message-id", "id")

    report = run(capsys, write("b.csv", head + "u,x,2024-03-05,1\nu,y,2024-03-06,2\n"), *BASE, "--message-id", "id")

    assert (report["imported"], report["already_there"]) == (1, 1)
    assert [row[1] for row in stored()] == ["x", "y"]


@pytest.mark.slow
def test_import__message_ids__do_not_depend_on_the_engine(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str]
) -> None:
    text = "user,event,time,level\n" + "ü,play,2024-03-01T10:00:00Z,3\n" * 2
    run(capsys, write("a.csv", text), *BASE, "--properties", "level")

    with engine.connect() as house:
        found = sorted(house.run(house.events).message_id)

    digest = hashlib.md5('2:ü4:play1709287200000000:{"level":"3"}'.encode()).hexdigest()
    assert found == [digest, f"{digest}-1"]


def test_import__committed_files__tell_delta_their_rows_and_times(
    capsys: pytest.CaptureFixture[str], write: Callable[[str, str], str]
) -> None:
    times = ["2024-03-01T10:00:00.000001Z", "2024-03-01T23:59:59.999999Z", "2024-03-02T00:00:00Z"]
    run(capsys, write("a.csv", "user,event,time\n" + "".join(f"u,a,{time}\n" for time in times)), *BASE)

    actions = pa.table(DeltaTable(event_table.url()).get_add_actions(flatten=True)).to_pylist()

    found = sorted(
        (row["partition.event_date"].isoformat(), row["num_records"], row["min.time"], row["max.time"])
        for row in actions
        if not is_dictionary(row["path"])
    )
    moments = [datetime.fromisoformat(time) for time in times]
    assert found == [("2024-03-01", 2, moments[0], moments[1]), ("2024-03-02", 1, moments[2], moments[2])]


def test_lines_at_bytes__counts_physical_lines(write: Callable[[str, str], str], tmp_path: Path) -> None:
    file = Path(write("a.csv.gz", "user\na\nb\n"))
    with scratch(tmp_path) as connection:
        source = open_source(file, connection, separator=None, columns=None)

    assert lines_at_bytes(source, [7, 0, 4, 5, 5]) == {0: 1, 4: 1, 5: 2, 7: 3}
