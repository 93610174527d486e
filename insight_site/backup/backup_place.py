"""Where backups lie: a file, a folder, or an address in S3; whole or not there.

A file gets its name when its last byte is on the disk; until then it has another, and who writes it holds a lock. What
a killed backup has left is removed by the next one in the same folder. S3 shows an object when it is whole.
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
    """Bytes on their way into an object store, in pieces that its writer takes."""

    def __init__(self, target: Any) -> None:
        super().__init__()
        self.sent, self._target = 0, target

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """How many it has."""
        return self.sent

    def write(self, data: Any, /) -> int:
        """Hand them on."""
        self._target.write(bytes(data))
        self.sent += len(data)
        return len(data)


def place_for(target: str, at: datetime) -> str:
    """The file that is meant: in a folder, or at an address that ends with a slash, one named after the moment."""
    if object_store.is_remote(target):
        return target + NAME.format(at=at) if target.endswith("/") else target
    if target.endswith("/") or Path(target).is_dir():
        return str(Path(target) / NAME.format(at=at))
    return target


@contextmanager
def written(place: str) -> Iterator[IO[bytes]]:
    """What takes the bytes of a backup; when the block ends without an error it is there, whole.

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
        handle, name = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)  # nobody else may read it
    except OSError as error:
        raise Refused("{place} can't be written: {reason}.", place=place, reason=error.strerror) from error
    try:
        with os.fdopen(handle, "wb", PIECE) as target:
            fcntl.flock(target, fcntl.LOCK_EX)
            yield target
            target.flush()
            os.fsync(target.fileno())
            os.link(name, path)  # never over another
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
    """A backup, to be read from any place in it.

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
    """Bytes."""
    if not object_store.is_remote(place):
        return Path(place).stat().st_size
    with opened(place) as source:
        return source.seek(0, os.SEEK_END)


def remove_oldest(folder: str, keep: int) -> list[str]:
    """Delete all but the newest of the backups that have a name by the moment; the names of those that went."""
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
