"""The Delta table: a batch once, readers undisturbed."""

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import CommitFailedError

from events.store import event_table
from events.store.disk import NewFile
from tests.events.conftest import asked, erased, file_uris, stored_ids

pytestmark = pytest.mark.usefixtures("any_store")
MOMENT = datetime(2026, 11, 24, 23, 59, 59, 999_999, tzinfo=UTC)


def rows(*ids: str, user: str = "u", time: datetime = MOMENT) -> pa.Table:
    stamp = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "user_id": [user] * len(ids),
            "event": ["e"] * len(ids),
            "time": pa.array([time] * len(ids), stamp),
            "properties": ["{}"] * len(ids),
            "message_id": list(ids),
            "received_at": pa.array([time] * len(ids), stamp),
        }
    )


def test_store__before_the_first_append__is_empty() -> None:
    assert (
        event_table.exists(),
        file_uris(),
        event_table.look("w"),
        event_table.compact()["added"],
        event_table.vacuum(),
    ) == (False, [], None, 0, 0)


def test_append__of_a_batch_that_is_in__writes_nothing() -> None:
    first = event_table.append(rows("a"), app_id="w", version=2)
    again = event_table.append(rows("a"), app_id="w", version=2)
    older = event_table.append(rows("b"), app_id="w", version=1)
    other = event_table.append(rows("c"), app_id="x", version=1)

    assert (first, again, older, other) == (True, False, False, True)
    assert stored_ids() == {"a": 1, "c": 1}
    seen = event_table.look("w")
    assert seen is not None
    assert (seen.number, seen.owner) == (2, None)


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029", "\r", "\x1e"])
def test_append__of_a_name_with_a_line_separator__is_a_batch_like_others(separator: str) -> None:
    batch = rows("a", user=f"x{separator}y").set_column(1, "event", pa.array([f"e{separator}f"]))

    assert event_table.append(batch, app_id="w", version=1)
    assert stored_ids() == {"a": 1}


@pytest.mark.slow
def test_append__of_one_batch_by_many_at_once__writes_it_once() -> None:
    event_table.append(rows("first"), app_id="w", version=1)
    written = []
    barrier = threading.Barrier(4)

    def write(version: int) -> None:
        barrier.wait()
        written.append((version, event_table.append(rows(f"m{version}"), app_id="w", version=version)))

    for version in range(2, 8):
        threads = [threading.Thread(target=write, args=(version,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(version for version, wrote in written if wrote) == [2, 3, 4, 5, 6, 7]
    assert stored_ids() == {"first": 1, **{f"m{version}": 1 for version in range(2, 8)}}


def test_append__before_and_after_midnight__parts_by_utc_date() -> None:
    event_table.append(rows("a"), app_id="w", version=1)
    event_table.append(rows("b", time=MOMENT + timedelta(microseconds=1)), app_id="w", version=2)

    found = asked(
        "SELECT message_id, event_date::VARCHAR, time AT TIME ZONE 'UTC' "
        "FROM read_parquet($files, hive_partitioning=true) ORDER BY 1",
        file_uris(),
    )

    assert found == [
        ("a", "2026-11-24", datetime(2026, 11, 24, 23, 59, 59, 999_999)),  # noqa: DTZ001
        ("b", "2026-11-25", datetime(2026, 11, 25)),  # noqa: DTZ001
    ]


def test_compaction__while_a_reader_holds_the_old_files__disturbs_nobody() -> None:
    for version in range(1, 12):
        event_table.append(rows(f"m{version}"), app_id="w", version=version)
    held = file_uris()

    done = event_table.compact()
    event_table.vacuum()

    assert done == {"added": 1, "removed": 11}
    assert len(file_uris()) == 1
    assert sum(stored_ids().values()) == 11
    assert asked("SELECT count(*) FROM read_parquet($files)", held) == [(11,)]
    assert event_table.append(rows("m3"), app_id="w", version=3) is False  # the numbers survive


def test_vacuum__with_less_than_a_week__is_refused() -> None:
    with pytest.raises(ValueError, match="168"):
        event_table.vacuum(keep_hours=167)


@pytest.mark.parametrize("any_store", ["folder"], indirect=True)
def test_vacuum__folder_of_an_import_that_was_killed__goes_after_a_week(any_store: str) -> None:
    event_table.append(rows("a"), app_id="w", version=1)
    old, young = Path(any_store) / "_import-old", Path(any_store) / "_import-young"
    week = timedelta(hours=event_table.KEEP_REMOVED_HOURS)
    for folder, age in ((old, week + timedelta(minutes=1)), (young, week - timedelta(minutes=1))):
        (folder / "source=0").mkdir(parents=True)
        moment = (datetime.now(UTC) - age).timestamp()
        os.utime(folder, (moment, moment))

    event_table.vacuum()

    assert not old.exists()
    assert young.exists()
    assert stored_ids() == {"a": 1}


@pytest.mark.parametrize("any_store", ["folder"], indirect=True)
def test_vacuum__file_that_no_commit_knows__goes_after_a_week(any_store: str) -> None:
    event_table.append(rows("a"), app_id="w", version=1)
    known = Path(file_uris()[0])
    week = timedelta(hours=event_table.KEEP_REMOVED_HOURS)
    for name, age in (("old", week + timedelta(minutes=1)), ("young", week - timedelta(minutes=1))):
        orphan = known.with_name(f"{name}.parquet")
        orphan.write_bytes(known.read_bytes())
        moment = (datetime.now(UTC) - age).timestamp()
        os.utime(orphan, (moment, moment))

    assert event_table.vacuum() == 1

    assert sorted(path.name for path in known.parent.glob("*.parquet")) == sorted([known.name, "young.parquet"])
    assert stored_ids() == {"a": 1}


def test_forget__of_a_user_with_a_quote__removes_only_that_user() -> None:
    event_table.append(rows("a", "b", user="o'neil"), app_id="w", version=1)
    event_table.append(rows("c", user="other"), app_id="w", version=2)

    assert erased("o'neil") == 2
    assert stored_ids() == {"c": 1}


def test_append__without_a_column__names_it() -> None:
    with pytest.raises(ValueError, match="message_id"):
        event_table.append(rows("a").drop_columns(["message_id"]), app_id="w", version=1)
    assert not event_table.exists()


class AnswerLost:
    """A table whose commit is kept by the server, while the answer never arrives and the second try meets the first."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle

    def __getattr__(self, name: str) -> Any:
        return getattr(self.handle, name)

    def create_write_transaction(self, *arguments: Any, **options: Any) -> None:
        self.handle.create_write_transaction(*arguments, **options)
        raise CommitFailedError("the name is taken")


def test_add__commit_that_went_through_and_was_reported_as_lost__keeps_its_files(tmp_path: Path) -> None:
    path = tmp_path / "import-x.parquet"
    pq.write_table(rows("a"), path)
    moment = MOMENT.isoformat()
    file = NewFile(path, MOMENT.date(), 1, path.stat().st_size, moment, moment)

    event_table.Snapshot(AnswerLost(event_table.snapshot().handle)).add([file], app_id="import")

    assert stored_ids() == {"a": 1}
