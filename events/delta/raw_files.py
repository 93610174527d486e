"""Read and write the store's files as bytes, in a folder or in an object store: for backups.

Names are those of the files themselves; Delta's log has them percent-encoded.
"""

import os
import shutil
from pathlib import Path
from typing import IO, Any

from events import disk, object_store
from events.delta.place import is_local, url

PIECE = 1024 * 1024


def names(folder: str = "") -> list[str]:
    """Every file below a folder of the store, in order; empty when there is none."""
    if not is_local():
        return sorted(object_store.names(url(), folder))
    root = Path(url())
    return sorted(path.relative_to(root).as_posix() for path in (root / folder).rglob("*") if not path.is_dir())


def opened(name: str) -> Any:
    """Open one file for random access; the caller closes it.

    Raises:
        FileNotFoundError: when it isn't there, or not any more.
    """
    return (Path(url()) / name).open("rb") if is_local() else object_store.opened_as_named(url(), name)


def put(name: str, source: IO[bytes]) -> None:
    """Write one file, replacing one of this name; it is durable when this returns."""
    if not is_local():
        object_store.put(url(), name, source)
        return
    path = Path(url()) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        shutil.copyfileobj(source, target, PIECE)
        target.flush()
        os.fsync(target.fileno())
    disk.force(path.parent)


def remove(name: str) -> None:
    """Delete one file that may already be gone."""
    if is_local():
        (Path(url()) / name).unlink(missing_ok=True)
    else:
        object_store.remove_as_named(url(), name)
