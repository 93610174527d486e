"""Durable files of a Delta table on a disk: synced in the order in which they must survive a power cut."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import unquote


@dataclass(frozen=True)
class NewFile:
    """A Parquet file that isn't part of the table yet.

    Attributes:
        path: its current place, on the store's disk, so that a rename moves it into the table.
        day: the UTC date of all its events.
        rows: their number.
        size: bytes.
        oldest: the first event's time, ISO 8601 in UTC.
        newest: the last event's time.
        numbered: True when each row has its user's number.
        joins: True for a file of the dictionary that contains joins.
    """

    path: Path
    day: date
    rows: int
    size: int
    oldest: str
    newest: str
    numbered: bool = False
    joins: bool = False


def force(path: Path) -> None:
    """Sync one file, or the names in one folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def place(root: Path, files: Sequence[tuple[Path, str]]) -> None:
    """Move files to their names below the table's folder, and sync files and names to the disk."""
    for path, name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        os.utime(path)  # a vacuum deletes old files that no commit names; writing this one may have taken hours
        path.rename(root / name)
    moved = [root / name for _, name in files]
    for path in {*moved, *(path.parent for path in moved), root}:
        force(path)


def force_commit(root: Path, version: int) -> None:
    """Sync one commit of the table in this folder: its data files, their folders, the log."""
    log = root / "_delta_log" / f"{version:020d}.json"
    if not log.exists():  # pragma: no cover - another layout of the log: syncing everything is always right
        os.sync()
        return
    # Not splitlines: it also splits at U+0085, U+2028 and U+2029, which may occur in names as sent.
    actions = [json.loads(line) for line in log.read_text(encoding="utf-8").split("\n") if line]
    files = [root / unquote(action["add"]["path"]) for action in actions if "add" in action]
    folders = {path.parent for path in files} | {root, log.parent}
    for path in [*files, *folders, log]:
        force(path)
