"""Join small files into larger ones, date by date; readers and writers continue meanwhile.

Delta's own OPTIMIZE can't carry our transaction mark in its commit, so a concurrent commit that replaces files
(`rewrite`, numbers for an older store) would not notice it and duplicate their events. Tried with deltalake 1.6.6.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from events.delta import place
from events.delta.rewrite import KeptRows, day_of, rows_of
from events.delta.snapshot import PARTITION, Snapshot, overtaken, removals, snapshot
from events.disk import NewFile

APP_ID = "compaction"


def compact(target_bytes: int) -> tuple[int, int]:
    """Join small files of one date into files of up to this size; returns how many were written and how many replaced.

    Zeros when there is nothing to join, or another commit replaced files meanwhile.
    """
    at = snapshot()
    groups = _groups(at, target_bytes)
    if not groups:
        return 0, 0
    with place.staging() as folder:
        written = [_joined(group, folder) for group in groups]
        placed = [(file.path, f"{PARTITION}={file.day.isoformat()}/{file.path.name}") for file in written]
        place.place(placed)
        actions = [at.action(name, file) for (_, name), file in zip(placed, written, strict=True)]
        gone = [path for group in groups for path in group]
        try:
            at.commit([*actions, *removals(gone)], app_id=APP_ID, highest=None, replaces=True)
        except Exception as error:
            if not overtaken(error):
                raise
            # A lost answer, or a log that was shortened right after, looks like a failed commit.
            if not snapshot().has([name for _, name in placed]):
                place.discard(placed)
                return 0, 0
    return len(written), len(gone)


def _groups(at: Snapshot, target_bytes: int) -> list[list[str]]:
    """Groups of files to join, oldest files first."""
    by_day: dict[object, list[tuple[str, int]]] = defaultdict(list)
    for path, size in at.sizes():
        if size < target_bytes:
            by_day[day_of(path)].append((path, size))
    groups: list[list[str]] = []
    for files in by_day.values():
        group: list[str] = []
        total = 0
        for path, size in files:
            if group and total + size > target_bytes:
                groups.append(group)
                group, total = [], 0
            group.append(path)
            total += size
        groups.append(group)
    return [group for group in groups if len(group) > 1]


def _joined(paths: Sequence[str], folder: Path) -> NewFile:
    kept = KeptRows(folder / f"joined-{uuid4().hex}.parquet")
    try:
        for path in paths:
            for rows in rows_of(path):
                kept.add(rows)
    finally:
        kept.close()
    return kept.as_new(day_of(paths[0]))
