"""Where the event store lies, a folder or an object store: how files get there, and their bytes for a copy."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from django.conf import settings

from events.store import disk, object_store

# Location of the event store (a folder or an object store), and durable placement of files in it.

DERIVED = "_daily"  # the folder of what is made of the events; Delta's vacuum passes over names with an underscore
RUNNING = "_running"  # the folder of what running experiments have counted so far
LOG = "_delta_log"


def url() -> str:
    """The table's location: a folder or an object-store address (EVENTS_URL).

    Raises:
        Refused: when an address can't be used, see `object_store.checked`.
    """
    place = str(settings.EVENTS_URL)
    return object_store.checked(place) if object_store.is_remote(place) else place.removeprefix("file://")


def local_folder() -> Path | None:
    """The table's folder; None when it lies in an object store."""
    return Path(url()).resolve() if is_local() else None


def shown_url() -> str:
    """The table's address for display: without user name, password or query, which may hold a secret."""
    parts = urlsplit(url())
    return url() if is_local() else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_local() -> bool:
    """True when it is a folder."""
    return not object_store.is_remote(url())


@contextmanager
def staging() -> Iterator[Path]:
    """A temporary folder for new files, invisible to readers and deleted at the end of the block.

    It is on the store's disk, so that a rename moves the files to their places; for an object store, where nothing can
    be renamed, it is in the machine's temporary folder (TMPDIR).
    """
    if not is_local():
        with tempfile.TemporaryDirectory(prefix="insight-import-") as folder:
            yield Path(folder)
        return
    Path(url()).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="_import-", dir=url()) as folder:  # Delta ignores names with an underscore
        yield Path(folder)


def sync_commit(version: int) -> None:
    """Force one commit to the disk: Delta's writer doesn't, and the outbox deletes its rows after this."""
    if is_local():  # an object store has stored it when it answers
        disk.force_commit(Path(url()), version)


def sync_everything() -> None:
    """Force all files to the disk: another, perhaps killed, process wrote the batch, and may not have synced it."""
    if is_local():
        os.sync()


def place(files: Sequence[tuple[Path, str]]) -> None:
    """Move files to where a commit may name them; they are durable when this returns."""
    if is_local():
        disk.place(Path(url()), files)
    else:
        object_store.place(url(), files)


def discard(files: Sequence[tuple[Path, str]]) -> None:
    """Remove files that no commit names; the writer still has its originals."""
    for path, name in files:
        if is_local():
            (Path(url()) / name).rename(path)
        else:
            object_store.remove(url(), name)


# Read and write the store's files as bytes, in a folder or in an object store: for backups.
#
# Names are those of the files themselves; Delta's log has them percent-encoded.

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
