"""The preview keeps what the import keeps, and says what looks odd."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.importing.first_rows import (
    Beginning,
    Preview,
    ends_in_the_middle,
    parquet_sample,
    preview,
    users_with_event,
    utf_8,
)
from events.importing.import_file import import_files
from events.importing.mapping import Context, Mapping, guess_mapping, mistakes, options_of
from events.importing.options import SignupFrom
from events.importing.text_reading import Reading, guess_reading, sample_of
from events.warehouse import engine
from runs.refusals import Refused

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def look(path: Path, change: Callable[[Mapping], Mapping] = lambda mapping: mapping) -> Preview:
    head = path.read_bytes()
    reading = guess_reading(head)
    sample = sample_of(head, reading)
    mapping = change(guess_mapping(sample, Context(path.name)))
    assert mistakes(mapping, sample) == []
    return preview(Beginning(path, head, True, False), reading, sample, mapping, NOW)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_parquet_sample__more_columns_than_a_form_shows__is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({f"c{n}": ["x"] for n in range(501)}), tmp_path / "wide.parquet")
    pq.write_table(pa.table({f"c{n}": ["x"] for n in range(500)}), tmp_path / "widest.parquet")

    with pytest.raises(Refused, match="501 columns; at most 500"):
        parquet_sample(tmp_path / "wide.parquet")
    assert len(parquet_sample(tmp_path / "widest.parquet").columns) == 500


def test_preview__log__rows_counts_and_signups(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv", "user,time,event,n\nu,2024-03-01 10:00,play,3\nv,2024-03-02,stop,\n,2024-03-02,x,1\n"
    )

    found = look(path)

    assert [(row.user, row.event, row.properties, row.bad) for row in found.rows] == [
        ("u", "play", (("n", "3"),), ""),
        ("v", "stop", (), ""),
        ("", "x", (("n", "1"),), "missing_user"),
    ]
    assert found.rows[0].time == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert (found.count, found.users, found.signups, found.refused) == (3, 2, 2, {"missing_user": 1})
    assert (found.whole, found.estimate) == (True, 3)
    assert (found.oldest, found.newest) == (datetime(2024, 3, 1, 10, tzinfo=UTC), datetime(2024, 3, 2, tzinfo=UTC))


ROWS = "".join(f"u{k},2024-03-{k % 9 + 1:02d},play\n" for k in range(19))
ODD = [
    ("one_user", "user,time,event\n" + ROWS + "u1,2024-03-01,a\n" * 18, True),
    ("one_user", "user,time,event\n" + ROWS + "u1,2024-03-01,a\n" * 15, False),
    ("no_user", "user,time,event\nu,2024-03-01,a\n" + ",2024-03-01,a\n" * 9, True),
    ("no_user", "user,time,event\nu,2024-03-01,a\nv,2024-03-01,a\n" + ",2024-03-01,a\n" * 9, False),
    ("many_refused", "user,time,event\n" + ROWS + "u,2024-03-02,\n" * 3, True),
    ("many_refused", "user,time,event\n" + ROWS + "u,2024-03-02,\n" * 2, False),
    ("future", "user,time,event\n" + ROWS + "u,2026-01-03,a\n", True),
    ("future", "user,time,event\n" + ROWS + "u,2026-01-01 23:59,a\n", False),
    ("row_each", "user,time\n" + "".join(f"u{k},2024-03-01\n" for k in range(20)), True),
    ("row_each", "user,time\n" + "".join(f"u{k},2024-03-01\n" for k in range(19)), False),
    ("day_or_month", "user,time\nu,03/04/2024\nu,05/06/2024\n", True),
    ("day_or_month", "user,time\nu,03/04/2024\nu,25/06/2024\n", False),
    ("cut", "user,time,event\n" + ROWS + "u,2024-03", True),
    ("cut", "user,time,event\n" + ROWS + "u,2024-03-01,a", False),
]


@pytest.mark.parametrize(("code", "text", "warned"), ODD)
def test_warning__on_both_sides_of_its_threshold(tmp_path: Path, code: str, text: str, warned: bool) -> None:
    found = look(write(tmp_path / "a.csv", text))

    assert (code in [name for name, _ in found.warnings]) is warned


def test_warning__times_read_by_the_wrong_format(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "user,time\nu,1082040961\nv,1082040999\n")

    found = look(path, lambda mapping: Mapping(**{**vars(mapping), "time_format": "unix_ms"}))

    assert "long_ago" in [name for name, _ in found.warnings]


@pytest.mark.parametrize(
    ("text", "reading", "cut"),
    [
        (b"a,b\n1,2\n3", Reading("csv", "utf-8", ","), True),
        (b"a,b\n1,2\n3,4", Reading("csv", "utf-8", ","), False),
        ("a,b\n1,2\n3".encode("utf-16"), Reading("csv", "utf-16", ","), True),
        ("a,b\n1,2\n3,4".encode("utf-16"), Reading("csv", "utf-16", ","), False),
        (b'{"a": 1}\n{"a"', Reading("jsonl"), True),
        (b'{"a": 1}', Reading("jsonl"), False),
        (b"a b\r\n1 2\r\n3", Reading("csv", "utf-8", "whitespace"), True),
    ],
)
def test_ends_in_the_middle(tmp_path: Path, text: bytes, reading: Reading, cut: bool) -> None:
    path = write(tmp_path / "a", text)

    assert ends_in_the_middle(Beginning(path, text, True, False), reading, 2) is cut


def test_utf_8__broken_bytes__stay_broken_for_the_reader() -> None:
    assert utf_8("가,나".encode("cp949"), "cp949") == "가,나".encode()
    assert utf_8(b"a,\xff\xff\n", "cp949") == b"a,\xff\xff\n"


def test_preview__hostile_cells__harm_nothing(tmp_path: Path) -> None:
    head = 'user,time,event,"it\'s"\n'
    path = write(tmp_path / "a.csv", head + "u'; DROP TABLE x--,2024-03-01,=1+1,<b>\nu\x00v,2024-03-01,a,b\n")

    found = look(path)

    assert found.rows[0].user == "u'; DROP TABLE x--"
    assert found.rows[0].properties == (("it's", "<b>"),)
    assert found.refused == {"bad_text": 1}


def test_preview__name_of_257_letters__is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"user,time,event\n{'u' * 256},2024-03-01,a\n{'u' * 257},2024-03-01,a\n")

    assert look(path).refused == {"bad_text": 1}


def test_parquet__its_own_types__are_kept(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    table = pa.table(
        {"user": [1, 2], "time": pa.array([10**15, 2 * 10**15], pa.timestamp("us", tz="UTC")), "n": [1.5, None]}
    )
    pq.write_table(table, path)
    sample = parquet_sample(path)
    mapping = guess_mapping(sample, Context("a.parquet"))

    found = preview(Beginning(path, b"", False, False), Reading("parquet"), sample, mapping, NOW)

    assert (mapping.user, mapping.time) == ("user", "time")
    assert [(row.user, row.properties) for row in found.rows] == [("1", (("n", "1.5"),)), ("2", ())]
    assert found.whole


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).filter(lambda text: text == text.strip())
CELLS = st.one_of(CELL, st.integers(-(10**16), 10**16).map(str), st.decimals(-999, 999, places=2).map(str))


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    kinds=st.tuples(*[st.sampled_from(["text", "number", "flag"])] * 2),
)
def test_import__any_cells_and_types__come_back_as_they_were(
    rows: list[tuple[str, str]], kinds: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    import csv

    from django.test import override_settings

    folder = tmp_path_factory.mktemp("lossless")
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["user", "time", "event", "p", "q"])
        writer.writerows([f"u{k}", 1_700_000_000 + k, "e", *row] for k, row in enumerate(rows))
    head = (folder / "a.csv").read_bytes()
    reading = Reading("csv", "utf-8", ",", True)
    sample = sample_of(head, reading)
    mapping = Mapping("user", "time", "unix_s", "UTC", "event", properties=(("p", kinds[0]), ("q", kinds[1])))

    with override_settings(EVENTS_URL=str(folder / "store")):
        import_files([folder / "a.csv"], options_of(mapping, reading, sample))
        with engine.connect() as house:
            frame = house.run(house.named(house.events))

    kept = {user: json.loads(text) for user, text in zip(frame.user_id, frame.properties, strict=True)}
    for number, row in enumerate(rows):
        for name, cell in zip("pq", row, strict=True):
            assert _same(kept[f"u{number}"][name], cell), (name, cell, kept[f"u{number}"])


def _same(kept: object, cell: str) -> bool:
    """The value says the cell's: the same text, the same number, or yes and no."""
    if isinstance(kept, bool):
        return cell.lower() in (("true", "yes", "y", "t", "1") if kept else ("false", "no", "n", "f", "0"))
    if isinstance(kept, int | float):
        return float(cell) == kept
    return (kept or "") == cell


def test_users_with_event__of_an_empty_store__are_none() -> None:
    assert users_with_event([], "signup", ["u"]) == 0
    assert SignupFrom("first") is SignupFrom.FIRST
