"""Copy one version of the store for a backup: its files, protected while they are copied, and a log for the copy.

A copy has the Parquet files of that version and none besides. Its log is a checkpoint, which Delta itself writes from
the source's log, and the commit of that version, which writers need; so the numbers of the batches, the owner and the
highest number of a user are in the copy as they were.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable

from events.store import dictionary
from events.store import place as store_place
from events.store.place import LOG, is_local, url

HELD = "_backup-"  # Delta ignores names with an underscore
BEGUN_SECONDS = 60  # between creating the folder and locking it


@dataclass(frozen=True)
class StoreVersion:
    """The table at one version.

    Attributes:
        number: the version, as Delta counts.
        batch: the writer's last batch in it; 0 before its first.
        files: names of its Parquet files below the store's address.
        events: number of events in them, without the dictionary's rows.
    """

    number: int
    batch: int
    files: tuple[str, ...]
    events: int


def version_at(writer: str, most: int) -> StoreVersion | None:
    """The newest version that holds no batch of this writer after number `most`; None when there is no table.

    Args:
        writer: who numbers its batches; "" for none.
        most: the last batch that may be in it.
    """
    if not DeltaTable.is_deltatable(url()):
        return None
    handle = DeltaTable(url())
    while int(handle.transaction_version(writer) or 0) > most:
        handle = DeltaTable(url(), version=handle.version() - 1)
    actions = pa.table(handle.get_add_actions(flatten=True))
    paths = actions.column("path").to_pylist()
    rows = zip(paths, actions.column("num_records").to_pylist(), strict=True)
    events = sum(count or 0 for path, count in rows if not dictionary.is_dictionary(path))
    batch = int(handle.transaction_version(writer) or 0)
    return StoreVersion(int(handle.version()), batch, tuple(sorted(map(unquote, paths))), events)


def log_of(number: int) -> dict[str, bytes]:
    """The log files of a copy that has only this version, by name.

    Raises:
        FileNotFoundError: when the log's older part was deleted meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix="insight-log-") as folder:
        log = Path(folder) / LOG
        log.mkdir()
        for name in _since_checkpoint(number):
            with store_place.opened(name) as source, (log / name.rpartition("/")[2]).open("wb") as target:
                shutil.copyfileobj(source, target)
        DeltaTable(folder).create_checkpoint()
        paths = [path for path in log.iterdir() if path.name.startswith((f"{number:020d}.", "_last_checkpoint"))]
        return {f"{LOG}/{path.name}": path.read_bytes() for path in paths}


def _since_checkpoint(number: int) -> Iterator[str]:
    """The files of the source's log from the last checkpoint to this version."""
    numbers = {name: _number(name) for name in store_place.names(LOG) if _number(name) is not None}
    checkpoints = [at for name, at in numbers.items() if ".checkpoint" in name and (at or 0) <= number]
    first = max((at for at in checkpoints if at is not None), default=0)
    yield from (name for name, at in numbers.items() if at is not None and first <= at <= number)


def _number(name: str) -> int | None:
    head = name.rpartition("/")[2].partition(".")[0]
    return int(head) if len(head) == 20 and head.isdecimal() else None


@contextmanager
def held(files: Sequence[str]) -> Iterator[Callable[[str], Any]]:
    """Protect files from deletion inside the block; yields a function that opens one by its name.

    On a disk they get hard links in a folder of their own. If hard links are impossible, and in an object store,
    nothing protects them: opening one then raises FileNotFoundError if a vacuum or an erasure deleted it first.

    Raises:
        FileNotFoundError: when one is already gone.
    """
    if not files or not is_local():
        yield store_place.opened
        return
    remove_abandoned()
    root = Path(url())
    folder = Path(tempfile.mkdtemp(prefix=HELD, dir=root))
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = {name: folder / str(place) for place, name in enumerate(files)}
        try:
            for name, path in second.items():
                os.link(root / name, path)
        except FileNotFoundError:
            raise
        except OSError:  # no hard links on this disk
            second = {name: root / name for name in files}
        yield lambda name: second[name].open("rb")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_abandoned() -> None:
    """Remove the hard links of a killed backup: they would preserve the events of erased users."""
    if not is_local():
        return
    for folder in Path(url()).glob(f"{HELD}*"):
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            if time.time() - os.fstat(lock).st_ctime > BEGUN_SECONDS:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
