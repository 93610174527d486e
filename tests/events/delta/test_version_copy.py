"""One version of the store to keep: the newest without a later batch, and its files as long as they are copied."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from events.store import event_table, place, version_copy
from tests.events.conftest import asked
from tests.events.user_numbers.conftest import rows


def batch(number: int, *, writer: str = "w") -> None:
    event_table.append(rows([f"u{number}"], f"m{number}"), app_id=writer, version=number)


def ids(at: version_copy.StoreVersion) -> list[str]:
    files = [f"{event_table.url()}/{name}" for name in at.files if "event_date=0001-01-01" not in name]
    return sorted(row[0] for row in asked("SELECT user_id FROM read_parquet($files)", files))


def test_version_at__no_table__is_none(any_store: str) -> None:
    assert version_copy.version_at("", 0) is None
    assert place.names() == []


def test_version_at__newer_batches_there__is_the_newest_without_them(any_store: str) -> None:
    for number in (1, 2):
        batch(number)
    batch(1, writer="other")
    last = DeltaTable(any_store).version()
    for number in (3, 4):
        batch(number)
    event_table.compact()

    found = version_copy.version_at("w", 2)

    assert found is not None
    assert (found.number, found.batch, found.events) == (last, 2, 3)
    assert ids(found) == ["u1", "u1", "u2"]
    newest = version_copy.version_at("w", 4)
    assert newest is not None
    assert (newest.number, newest.batch, len(ids(newest))) == (DeltaTable(any_store).version(), 4, 5)


@pytest.mark.slow
@pytest.mark.parametrize("many", [1, 13])
def test_log_of__a_version__opens_as_that_version_and_can_be_written(many: int, any_store: str, tmp_path: Path) -> None:
    batch(1)
    # Delta writes a checkpoint after 100 commits by itself, here after ten.
    DeltaTable(any_store).alter.set_table_properties({"delta.checkpointInterval": "10"})
    for number in range(2, many + 1):
        batch(number)
    found = version_copy.version_at("w", many)
    batch(many + 1)
    assert found is not None
    assert any(".checkpoint" in name for name in version_copy._since_checkpoint(found.number)) is (many > 10)
    for name, data in version_copy.log_of(found.number).items():
        path = tmp_path / "copy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    copy = DeltaTable(str(tmp_path / "copy"))

    assert (copy.version(), copy.transaction_version("w"), copy.metadata().name) == (found.number, many, "events")
    assert len(copy.file_uris()) == len(found.files)


def test_log_of__a_compacted_version__a_vacuum_of_the_copy_misses_nothing(any_store: str, tmp_path: Path) -> None:
    for number in range(1, 6):
        batch(number)
    event_table.compact()
    found = version_copy.version_at("w", 5)
    assert found is not None
    parts = {name: pa.PythonFile(place.opened(name)).read() for name in found.files}
    for name, data in (parts | version_copy.log_of(found.number)).items():
        (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / name).write_bytes(data)

    copy = DeltaTable(str(tmp_path / "copy"))
    copy.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    assert sorted(
        p.relative_to(tmp_path / "copy").as_posix() for p in (tmp_path / "copy").rglob("*.parquet")
    ) == sorted([*found.files, f"_delta_log/{found.number:020d}.checkpoint.parquet"])


def test_held__files_deleted_meanwhile__are_read_all_the_same(event_store: Path) -> None:
    batch(1)
    found = version_copy.version_at("w", 1)
    assert found is not None
    whole = {name: (event_store / name).read_bytes() for name in found.files}

    with version_copy.held(found.files) as opened:
        for name in found.files:
            (event_store / name).unlink()
        assert {name: opened(name).read() for name in found.files} == whole

    assert not list(event_store.glob("_backup-*"))
    with pytest.raises(FileNotFoundError), version_copy.held(found.files):
        pass


def test_remove_abandoned__leaves_what_a_living_backup_holds(
    event_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch(1)
    found = version_copy.version_at("w", 1)
    assert found is not None
    code = (
        "import fcntl, os, sys, tempfile; f = tempfile.mkdtemp(prefix='_backup-', dir=sys.argv[1]);"
        "fcntl.flock(os.open(f, os.O_RDONLY), fcntl.LOCK_EX); print(f, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, event_store], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as living:
        assert living.stdout
        held = Path(living.stdout.readline().strip())
        version_copy.remove_abandoned()  # too young to be judged
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 3600)
        version_copy.remove_abandoned()
        assert held.exists()
        living.kill()
    os.sync()
    version_copy.remove_abandoned()

    assert not held.exists()
