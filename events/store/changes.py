"""What came into the table after one of its versions, by its log of commits."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

from events.store import dictionary, place
from events.store.rewrite import COMPACTION_APP_ID
from events.store.snapshot import Snapshot

AT_ONCE = 16  # commits read at a time: each is a request where the store is an object store


def added_since(at: Snapshot, version: int) -> tuple[str, ...] | None:
    """Files with the events that came between a version and this one, whether or not they were joined since.

    Args:
        at: the later version.
        version: the earlier one.

    Returns:
        Paths below the store's address; None where this can't be told: rows were changed or removed in between, or
        the log or a file that was joined since is gone.
    """
    versions = range(version + 1, int(at.handle.version()) + 1)
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            added = [path for paths in pool.map(_added, versions) for path in paths]
            there = {unquote(path) for path in at.paths()}
            list(pool.map(_touch, [path for path in added if path not in there]))
    except (FileNotFoundError, _ChangedError):
        return None
    return tuple(added)


class _ChangedError(Exception):
    """A commit changed or removed rows."""


def _added(version: int) -> list[str]:
    """The files with events that a commit added; none for one that only joined files."""
    entries = list(_entries(version))
    if any(entry.get("txn", {}).get("appId") == COMPACTION_APP_ID for entry in entries):
        return []
    if any("remove" in entry for entry in entries):
        raise _ChangedError
    paths = [unquote(entry["add"]["path"]) for entry in entries if "add" in entry]
    return [path for path in paths if not dictionary.is_dictionary(path)]


def _entries(version: int) -> Iterator[dict[str, Any]]:
    with place.opened(f"{place.LOG}/{version:020d}.json") as file:
        for line in file.read().splitlines():
            yield json.loads(line)


def _touch(name: str) -> None:
    """Raise FileNotFoundError where a file isn't there any more."""
    place.opened(name).close()
