"""Assign numbers to the users of a store written by an older version, some files at a time.

Each commit replaces whole files and adds their new numbers, so an interrupted upgrade continues where it stopped. Until
the last file has its numbers, queries join by text as before.
"""

import os
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from events import object_store, store
from events.importing.number_users import add_numbered
from events.importing.options import ImportOptions
from events.importing.parquet_files import Job
from events.importing.scratch import scratch
from events.outbox import flush, ownership

APP_ID = "numbers"
FILES_AT_ONCE = 64
BYTES_AT_ONCE = 256 * 1024 * 1024
TRIES = 20
AS_STORED = ImportOptions(user="user_id", time="time", event="event")


def number_store() -> int:
    """Assign numbers to all users of the store; returns how many files were rewritten, 0 when all have their numbers.

    Events may arrive meanwhile. A file that is replaced concurrently (compaction, an erased user) is tried again.
    """
    if not store.exists():
        return 0
    done = 0
    for _ in range(TRIES):
        waiting = store.snapshot().unnumbered()
        if not waiting:
            break
        for batch in _batches(sorted(waiting)):
            done += len(batch) if _number(batch) else 0
    return done


def number_and_maintain() -> dict[str, int]:
    """Assign missing numbers, then run `flush.maintain_store`, even if the first step has failed.

    Raises:
        ownership.StoreRefused: when the store is damaged or not ours; the database's part is done by then.
    """
    numbered, trouble = 0, None
    try:
        ownership.check_to_write()
        numbered = number_store()
    except Exception as error:  # one bad file must not block the cleanup of ids and refused events for ever
        trouble = error
    done = flush.maintain_store()
    if trouble is not None:
        raise trouble
    return {"files_numbered": numbered, **done}


def _number(paths: Sequence[str]) -> bool:
    """Replace these files by numbered ones; False when one of them has left the store."""
    at = store.snapshot()
    with store.staging() as folder, scratch(folder) as connection:
        object_store.attach(store.url(), connection.execute)
        job = Job(connection, AS_STORED, _silent, folder)
        files = [f"{store.url()}/{unquote(path)}" for path in paths]
        return add_numbered(job, files, at, app_id=APP_ID, removed=paths)


def _batches(paths: Sequence[str]) -> Iterator[list[str]]:
    """Batches of files to rewrite at once: bounded, but large, since the dictionary is read for each."""
    batch: list[str] = []
    size = 0
    for path in paths:
        file = f"{store.url()}/{unquote(path)}"
        batch.append(path)
        size += os.stat(file).st_size if os.path.exists(file) else BYTES_AT_ONCE // FILES_AT_ONCE
        if size >= BYTES_AT_ONCE or len(batch) >= FILES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _silent(step: str, percent: float, rows_per_second: float) -> None:
    """A progress callback that does nothing."""
