"""A digest of the events that an analysis read: independent of the files they are in, different if one row differs."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class DataDigest:
    """The data that were read.

    Attributes:
        sha256: of the people's digests in their order, a line each (`queries.person_digests`).
        people: number of people.
        rows: number of their events.
    """

    sha256: str
    people: int
    rows: int


def digest_of(batches: "Iterable[pa.RecordBatch]") -> DataDigest:
    """Digest of all events of some people; it takes about a second for a million events.

    Args:
        batches: the result of `queries.person_digests`, in its order.
    """
    whole, count, rows = hashlib.sha256(), 0, 0
    for batch in batches:
        for one in batch.column("digest").to_pylist():
            whole.update(f"{one}\n".encode())
        count += batch.num_rows
        rows += sum(batch.column("rows").to_pylist())
    return DataDigest(whole.hexdigest(), count, rows)
