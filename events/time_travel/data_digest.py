"""A digest of the events that an analysis read: the same whatever files they lie in, another when one row differs."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class DataDigest:
    """What was read.

    Attributes:
        sha256: of the people's digests in their order, a line each (`queries.person_digests`).
        people: how many they are.
        rows: how many events they have.
    """

    sha256: str
    people: int
    rows: int


def digest_of(batches: "Iterable[pa.RecordBatch]") -> DataDigest:
    """Of all events of some people; it takes about a second for a million events.

    Args:
        batches: the answer to `queries.person_digests`, in its order.
    """
    whole, count, rows = hashlib.sha256(), 0, 0
    for batch in batches:
        for one in batch.column("digest").to_pylist():
            whole.update(f"{one}\n".encode())
        count += batch.num_rows
        rows += sum(batch.column("rows").to_pylist())
    return DataDigest(whole.hexdigest(), count, rows)
