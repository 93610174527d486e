"""Numbers for the users of a store that an older version has written, some files of it at a time.

Each commit replaces whole files and brings the numbers that are new in them, so whoever is killed in between goes on
where they were. Until the last file has its numbers, questions join by text as they did before.
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
    """Give numbers to all users of the store; how many files were written again for it, 0 when all have theirs.

    Events may come in meanwhile. A file that somebody else replaces at the same moment (compaction, an erased user) is
    looked at again.
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
    """Give numbers where some are missing, then what `flush.maintain_store` does, also when the first has failed.

    Raises:
        ownership.StoreRefused: when the store is not whole or not ours; the database's part is done then.
    """
    numbered, trouble = 0, None
    try:
        ownership.check_to_write()
        numbered = number_store()
    except Exception as error:  # one bad file must not keep ids and refused events for ever
        trouble = error
    done = flush.maintain_store()
    if trouble is not None:
        raise trouble
    return {"files_numbered": numbered, **done}


def _number(paths: Sequence[str]) -> bool:
    """Replace these files by ones with numbers; False when one of them has left the store."""
    at = store.snapshot()
    with store.staging() as folder, scratch(folder) as connection:
        object_store.attach(store.url(), connection.execute)
        job = Job(connection, AS_STORED, _silent, folder)
        files = [f"{store.url()}/{unquote(path)}" for path in paths]
        return add_numbered(job, files, at, app_id=APP_ID, removed=paths)


def _batches(paths: Sequence[str]) -> Iterator[list[str]]:
    """What is read and written at once: bounded, since the dictionary is read for each."""
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
    """Nobody watches."""
