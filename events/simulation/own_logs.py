"""The log of a world with files of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray


def write_log(path: Path, *, users: NDArray[np.int64], names: NDArray[Any], moments: NDArray[np.int64]) -> None:
    """Write one row per event, in the order of time, into a Parquet file, whose folder is made.

    Args:
        path: of the file.
        users: their numbers from 0, which become the ids `user-0000000`, ….
        names: of the events.
        moments: microseconds since 1970, UTC.
    """
    order = np.argsort(moments, kind="stable")
    ids = np.array([f"user-{number:07d}" for number in range(int(users.max()) + 1)])
    table = pa.table(
        {
            "user_id": pa.array(ids[users[order]]),
            "event": pa.array(names[order]),
            "time": pa.array(moments[order], pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC")),
            "properties": pa.array(["{}"] * len(moments)),
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
