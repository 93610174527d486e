"""Read an analysis again later: a digest of the events that it read, and the files of its version, kept that long."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from django.utils import timezone

from events.models import KeptVersion
from events.store import dictionary, place
from events.store.rewrite import day_of, rows_of
from events.store.snapshot import StoreFiles, snapshot

# Keep the files of versions that a final analysis names, until the retention period, an erasure or another store.
#
# Compaction takes files out of the table and `vacuum` deletes them a week later; those of a kept version stay.
# Versions that may not be kept any longer are released here *before* their files are deleted, so that these don't
# count as lost.


def keep(files: StoreFiles) -> KeptVersion:
    """Protect the files of this version from now on."""
    return KeptVersion.objects.create(
        version=files.version,
        files={"events": files.events, "dictionary": files.dictionary, "numbered": files.numbered},
    )


def files_of(row: KeptVersion) -> StoreFiles:
    """The recorded files of this version."""
    return StoreFiles(
        version=row.version,
        events=tuple(row.files["events"]),
        dictionary=tuple(row.files["dictionary"]),
        numbered=bool(row.files["numbered"]),
    )


def kept_paths() -> frozenset[str]:
    """Every file that must not be deleted even if it has left the table."""
    return frozenset(path for row in _kept() for path in _paths(row))


def missing_in(files: StoreFiles) -> list[str]:
    """The files among these that are missing."""
    there = set(place.names())
    return [path for path in (*files.events, *files.dictionary) if path not in there]


def let_go_before_erasure() -> int:
    """Release every version with a file that has left the table: an erasure deletes all of those files."""
    present = set(snapshot().paths())
    return _let_go(KeptVersion.Gone.ERASURE, (row for row in _kept() if not present.issuperset(_paths(row))))


def let_go_old(wanted: Callable[[date], bool], change: Callable[[pa.Table, bool], pa.Table]) -> int:
    """Release versions with rows that retention has removed from the table.

    Args:
        wanted: whether files of this date may hold such rows.
        change: from rows of a file to those that stay; the very same table if all do.
    """
    known: dict[str, bool] = {}

    def is_old(path: str) -> bool:
        if path not in known:
            known[path] = wanted(day_of(path)) and any(change(rows, False) is not rows for rows in rows_of(path))
        return known[path]

    present, there = set(snapshot().paths()), set(place.names())
    return _let_go(
        KeptVersion.Gone.RETENTION,
        (
            row
            for row in _kept()
            if any(
                is_old(path)
                for path in _paths(row)
                if path not in present and path in there and not dictionary.is_dictionary(path)
            )
        ),
    )


def let_go_missing() -> int:
    """Release versions of another store than this database's current one: after a restore, or for a new store."""
    there = set(place.names())
    return _let_go(KeptVersion.Gone.OTHER_STORE, (row for row in _kept() if not there.issuperset(_paths(row))))


def _kept() -> Iterator[KeptVersion]:
    return KeptVersion.objects.filter(gone="").order_by("pk").iterator(chunk_size=20)


def _paths(row: KeptVersion) -> Collection[str]:
    return (*row.files["events"], *row.files["dictionary"])


def _let_go(why: KeptVersion.Gone, rows: Iterator[KeptVersion]) -> int:
    gone = [row.pk for row in rows]
    for pk in gone:
        KeptVersion.objects.filter(pk=pk).update(gone=why, gone_at=timezone.now())
    return len(gone)


# A digest of the events that an analysis read: independent of the files they are in, different if one row differs.


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
        for digest in batch.column("digest").to_pylist():
            whole.update(f"{digest}\n".encode())
        count += batch.num_rows
        rows += sum(batch.column("rows").to_pylist())
    return DataDigest(whole.hexdigest(), count, rows)
