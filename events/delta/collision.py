"""Whether an object store lets one of several commits in: a trial, for `manage.py doctor`.

A commit is a PUT that the server refuses when the name is taken. A server that passes over `If-None-Match` lets the
second of two writers replace what the first has been told it wrote, and events are lost without a word.
"""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from events import object_store

WRITERS = 8


def loses_commits(place: str) -> bool:
    """True when writers at one moment have each been told that they wrote, and fewer commits are there.

    It is tried in a folder of its own below the store's address, which is deleted again; what a server that fails
    meanwhile keeps there, nobody reads. Who is True loses events; who is False was not seen to, for a server may let
    two in now and then.

    Args:
        place: the store's address, checked.

    Raises:
        OSError: when the server can't be reached, or the keys may not write there.
    """
    folder = f"_trial-{uuid.uuid4().hex}"
    try:
        kept = _commits_kept(f"{place}/{folder}")
    except DeltaError as error:
        raise OSError(str(error)) from error
    for name in list(object_store.names(place, folder)):
        object_store.remove(place, name)
    return kept < WRITERS


def _commits_kept(trial: str) -> int:
    """How many of the commits that were each told to be in are in."""
    row = pa.table({"n": [1]})
    together = threading.Barrier(WRITERS)

    def write(handle: DeltaTable) -> None:
        together.wait()
        write_deltalake(handle, row, mode="append")

    write_deltalake(trial, row)
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, [DeltaTable(trial) for _ in range(WRITERS)]))
    return int(DeltaTable(trial).version())
