"""Backup destinations: a file, a folder, or an S3 address. A backup appears there only when it is complete.

A file gets its final name when its last byte is on disk; until then it has a temporary name, and its writer holds a
lock on it. The next backup into the same folder removes what a killed one left. S3 shows an object when it is complete.
"""

import fcntl
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from events import disk, object_store
from runs.refusals import Refused

NAME = "insight-{at:%Y%m%dT%H%M%SZ}.tar"
NAMED = re.compile(r"insight-\d{8}T\d{6}Z\.tar")
UNFINISHED = ".insight-unfinished-"
PIECE = 1024 * 1024


class SentPieces(io.RawIOBase):
    """A raw stream into an object store, which its writer uploads in pieces."""

    def __init__(self, target: Any) -> None:
        super().__init__()
        self.sent, self._target = 0, target

    def writable(self) -> bool:
        """True, as `io.RawIOBase` requires."""
        return True

    def tell(self) -> int:
        """Number of bytes written."""
        return self.sent

    def write(self, data: Any, /) -> int:
        """Upload these bytes."""
        self._target.write(bytes(data))
        self.sent += len(data)
        return len(data)


def place_for(target: str, at: datetime) -> str:
    """The backup file's address; in a folder, or below an address that ends with a slash, named by date and time."""
    if object_store.is_remote(target):
        return target + NAME.format(at=at) if target.endswith("/") else target
    if target.endswith("/") or Path(target).is_dir():
        return str(Path(target) / NAME.format(at=at))
    return target


@contextmanager
def written(place: str) -> Iterator[IO[bytes]]:
    """A stream to write a backup to; when the block ends without an error, the backup is complete at its destination.

    Raises:
        Refused: when there is a file of this name, or it can't be written there.
    """
    if object_store.is_remote(place):
        with _sent(place) as target:
            yield target
        return
    path = Path(place)
    if path.exists():
        raise Refused("There is a file {place} already.", place=place)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_unfinished(path.parent)
        handle, name = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)  # mode 600: only its owner may read it
    except OSError as error:
        raise Refused("{place} can't be written: {reason}.", place=place, reason=error.strerror) from error
    try:
        with os.fdopen(handle, "wb", PIECE) as target:
            fcntl.flock(target, fcntl.LOCK_EX)
            yield target
            target.flush()
            os.fsync(target.fileno())
            os.link(name, path)  # fails if the file exists: a backup is never overwritten
        disk.force(path.parent)
    except FileExistsError as error:
        raise Refused("There is a file {place} already.", place=place) from error
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _sent(place: str) -> Iterator[IO[bytes]]:
    folder, name = _address(place)
    if name in object_store.names(folder, ""):
        raise Refused("There is a file {place} already.", place=place)
    target = object_store.writer(folder, name)
    with io.BufferedWriter(SentPieces(target), PIECE * 8) as buffer:
        yield buffer
        buffer.flush()
    target.close()


def _address(place: str) -> tuple[str, str]:
    folder, _, name = object_store.checked(place).rpartition("/")
    return folder, name


@contextmanager
def opened(place: str) -> Iterator[IO[bytes]]:
    """Open a backup as a seekable stream.

    Raises:
        Refused: when it isn't there.
    """
    try:
        if object_store.is_remote(place):
            folder, name = _address(place)
            source = object_store.opened_as_named(folder, name)
        else:
            source = Path(place).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise Refused("{place} can't be read: {reason}.", place=place, reason=error.strerror or error) from error
    with source:
        yield source


def size_of(place: str) -> int:
    """Size in bytes."""
    if not object_store.is_remote(place):
        return Path(place).stat().st_size
    with opened(place) as source:
        return source.seek(0, os.SEEK_END)


def remove_oldest(folder: str, keep: int) -> list[str]:
    """Delete all but the newest of the backups named by date and time; returns the names deleted."""
    remote = object_store.is_remote(folder)
    found = object_store.names(object_store.checked(folder), "") if remote else os.listdir(folder)
    old = sorted(name for name in found if NAMED.fullmatch(name))[:-keep]
    for name in old:
        if remote:
            object_store.remove_as_named(object_store.checked(folder), name)
        else:
            (Path(folder) / name).unlink(missing_ok=True)
    return old


def _remove_unfinished(folder: Path) -> None:
    for path in folder.glob(f"{UNFINISHED}*"):
        with suppress(FileNotFoundError), path.open("rb") as file, suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
