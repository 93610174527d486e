"""A store that older versions have written gets its numbers, whatever happens meanwhile."""

import tarfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pytest_django import Settings

from events.importing import numbering
from events.importing.numbering import number_store
from events.store import event_table
from tests.events.conftest import asked, erased, file_uris
from tests.events.user_numbers.conftest import MOMENT, in_events, numbers, rows

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "v0_3" / "site.tar.xz"


@pytest.fixture
def old(any_store: str) -> None:
    """Five days of events in a table without the column."""
    days = [rows(["a", "b", f"only-{day}"], f"d{day}", MOMENT + timedelta(days=day)) for day in range(5)]
    for table in days:
        dated = table.append_column("event_date", table.column("time").cast(pa.date32())).cast(event_table.SCHEMA)
        write_deltalake(
            any_store,
            dated,
            mode="append",
            partition_by=["event_date"],
            configuration={"delta.dataSkippingStatsColumns": "user_id,event,time"},
        )


def counted() -> int:
    return int(asked("SELECT count(*) FROM read_parquet($files)", file_uris())[0][0])


@pytest.mark.slow
@pytest.mark.usefixtures("old")
def test_number_store__of_an_older_one__gives_everybody_a_number() -> None:
    done = number_store()

    assert done == 5
    assert set(numbers()) == {"a", "b", *(f"only-{day}" for day in range(5))}
    assert in_events() == set(numbers().items())
    assert counted() == 15
    assert (event_table.snapshot().unnumbered(), number_store()) == ([], 0)


@pytest.mark.usefixtures("old")
def test_append__to_an_older_store__numbers_the_new_rows_and_leaves_the_old_ones() -> None:
    event_table.append(rows(["b", "new"], "n"), app_id="w", version=1)

    assert numbers() == {"b": 1, "new": 2}
    assert len(event_table.snapshot().unnumbered()) == 5
    assert number_store() == 5
    assert in_events() == set(numbers().items())
    assert numbers()["b"] == 1


@pytest.mark.slow
@pytest.mark.usefixtures("old")
def test_number_store__killed_after_some_days__goes_on_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "FILES_AT_ONCE", 2)
    number, calls = numbering._number, []

    def dies(paths: Any) -> bool:
        calls.append(paths)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return number(paths)

    monkeypatch.setattr(numbering, "_number", dies)
    with pytest.raises(KeyboardInterrupt):
        number_store()
    half = event_table.snapshot().unnumbered()

    assert (len(half), counted()) == (3, 15)
    assert number_store() == 3
    assert in_events() == set(numbers().items())
    assert counted() == 15


@pytest.mark.slow
@pytest.mark.usefixtures("old")
@pytest.mark.parametrize("meanwhile", ["flush", "flush of the same user", "erasure", "compaction"])
def test_number_store__others_commit_meanwhile__nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    write = numbering._write

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(numbering, "_write", write)
        written = write(*arguments)
        if meanwhile == "erasure":
            assert erased("a") == 5
        elif meanwhile == "compaction":
            write_deltalake(DeltaTable(event_table.url()), _plain(), mode="append")
            event_table.compact()
        else:
            event_table.append(rows(["new" if meanwhile == "flush" else "a"], "n"), app_id="w", version=1)
        return written

    monkeypatch.setattr(numbering, "_write", overtaken)
    number_store()

    assert event_table.snapshot().unnumbered() == []
    assert in_events() == set(numbers().items())
    assert counted() == {"erasure": 10, "compaction": 16}.get(meanwhile, 16)


def _plain() -> pa.Table:
    """A row that an older version's writer adds: it leaves the number empty."""
    table = rows(["a"], "late")
    table = table.append_column("event_date", table.column("time").cast(pa.date32()))
    return table.append_column("user", pa.nulls(1, pa.int64())).select(event_table.TABLE.names).cast(event_table.TABLE)


@pytest.mark.usefixtures("old")
def test_number_store__an_older_version_writes_afterwards__its_rows_get_numbers_the_next_time() -> None:
    number_store()
    write_deltalake(DeltaTable(event_table.url()), _plain(), mode="append")

    assert len(event_table.snapshot().unnumbered()) == 1
    assert number_store() == 1
    assert in_events() == set(numbers().items())


@pytest.mark.slow
def test_store_of_0_3__numbered__has_the_same_events(tmp_path: Path, settings: Settings) -> None:
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(tmp_path, filter="data")
    settings.EVENTS_URL = str(tmp_path / "events")
    question = (
        "SELECT count(*), count(DISTINCT user_id), bit_xor(hash(user_id, event, time, properties, message_id, "
        "received_at)) FROM read_parquet($files)"
    )
    before = asked(question, file_uris())

    assert number_store() > 0
    assert asked(question, file_uris()) == before
    assert len(numbers()) == before[0][1]
    assert in_events() == set(numbers().items())
