"""Trial for `manage.py doctor`: does an object store accept several concurrent commits under one version?

A commit is a PUT that the server must refuse when the name is taken. A server that ignores `If-None-Match` lets the
second of two writers overwrite the first one's commit, and events are lost without an error.
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
    """True when concurrent writers were all told that they had committed, but fewer commits exist.

    The trial runs in a folder of its own below the store's address, which is deleted afterwards; files that stay there
    because the server fails meanwhile do no harm. True means that the server loses events; False only means that this
    trial found no loss, since a server may fail now and then.

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
    """Number of commits that exist after WRITERS concurrent ones were reported as successful."""
    row = pa.table({"n": [1]})
    together = threading.Barrier(WRITERS)

    def write(handle: DeltaTable) -> None:
        together.wait()
        write_deltalake(handle, row, mode="append")

    write_deltalake(trial, row)
    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, [DeltaTable(trial) for _ in range(WRITERS)]))
    return int(DeltaTable(trial).version())
