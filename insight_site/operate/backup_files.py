"""The file of a backup, read and written as a stream, and where it lies: a file, a folder, or an address in S3."""

import fcntl
import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from events.store import disk, object_store
from runs.refusals import Refused

# The backup file format: a plain tar, written and read as a stream, with a digest of each part.
#
# The first member identifies the format and its version, so other files and newer formats are recognised at once; the
# last two are the manifest and its digest, so a truncated file has none. Parquet files are stored unchanged, and rows
# of the database are compressed in pieces: nothing is compressed twice, and only small parts are in memory at once.

FORMAT = 1
FIRST, MANIFEST, LAST = "insight-backup.json", "manifest.json", "manifest.sha256"
PIECE = 1024 * 1024
MOST_JSON = 256 * 1024 * 1024
NAMES = re.compile(
    r"database/[a-z0-9_]{1,63}/\d{8}\.jsonl\.zst"
    r"|store/_delta_log/(?:_last_checkpoint|\d{20}\.(?:json|checkpoint\.parquet))"
    r"|store/event_date=\d{4}-\d\d-\d\d/[A-Za-z0-9][A-Za-z0-9._-]*\.parquet"
    r"|uploads/[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9][A-Za-z0-9._-]*"
)


@dataclass
class Hashed:
    """A stream that is read once and hashed while it is read."""

    source: IO[bytes]
    sha256: Any = field(default_factory=hashlib.sha256)
    size: int = 0

    def read(self, size: int = -1) -> bytes:
        """Read from the source, adding to the digest."""
        data = self.source.read(size)
        self.sha256.update(data)
        self.size += len(data)
        return data

    def read_all(self) -> None:
        """Read to the end of the stream."""
        while self.read(PIECE):
            continue


class ArchiveWriter:
    """Writes a backup part by part; without `close` the file is no valid backup.

    Args:
        out: a stream with `write` and `tell`.
        said: metadata for the first member.
    """

    def __init__(self, out: IO[bytes], said: dict[str, Any]) -> None:
        self._tar = tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self.parts: dict[str, dict[str, Any]] = {}
        self._bare(FIRST, _json({"format": FORMAT, **said}))

    def add(self, name: str, source: IO[bytes], size: int, **said: Any) -> None:
        """Add a part of the given size in bytes.

        Raises:
            ValueError: for a name that `read_through` would reject.
            OSError: when the source ends early.
        """
        if not NAMES.fullmatch(name) or name in self.parts:
            raise ValueError(f"no part of a backup is called {name}")
        hashed = Hashed(source)
        self._tar.addfile(_member(name, size), hashed)
        self.parts[name] = {"bytes": size, "sha256": hashed.sha256.hexdigest(), **said}

    def close(self, manifest: dict[str, Any]) -> None:
        """Write the manifest, which completes the backup."""
        data = _json({"format": FORMAT, **manifest, "parts": self.parts})
        self._bare(MANIFEST, data)
        self._bare(LAST, hashlib.sha256(data).hexdigest().encode())
        self._tar.close()

    def _bare(self, name: str, data: bytes) -> None:
        self._tar.addfile(_member(name, len(data)), io.BytesIO(data))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def read_through(source: IO[bytes], look: Callable[[str, Any], None] | None = None) -> dict[str, Any]:
    """Read a backup from first to last byte, comparing each part with its digest; returns the manifest.

    Args:
        source: the seekable file.
        look: called with the name and the file of each part that is complete so far.

    Raises:
        Refused: when it is no backup, of a newer Insight, truncated, changed, or malicious.
    """
    try:
        seen, ends = _digests(source, look)
    except tarfile.ReadError as error:  # truncated within a part
        raise _changed("") from error
    if ends.keys() != {MANIFEST, LAST}:
        raise Refused("The backup is not whole: it was cut off, or its making was interrupted.")
    if hashlib.sha256(ends[MANIFEST]).hexdigest().encode() != ends[LAST]:
        raise _changed(MANIFEST)
    manifest: dict[str, Any] = json.loads(ends[MANIFEST])
    for name in sorted(seen.keys() | manifest["parts"].keys()):
        listed = manifest["parts"].get(name, {})
        if name not in seen or seen[name] != {key: listed.get(key) for key in ("bytes", "sha256")}:
            raise _changed(name)
    return manifest


def _digests(
    source: IO[bytes], look: Callable[[str, Any], None] | None
) -> tuple[dict[str, dict[str, Any]], dict[str, bytes]]:
    """Size and digest of each part, and the last two members."""
    seen: dict[str, dict[str, Any]] = {}
    ends: dict[str, bytes] = {}
    for member, file in _members(source):
        if member.name in (MANIFEST, LAST):
            ends[member.name] = _short(member, file)
            continue
        if ends:
            raise _changed(member.name)
        hashed = Hashed(file)
        hashed.read_all()
        seen[member.name] = {"bytes": hashed.size, "sha256": hashed.sha256.hexdigest()}
        if look:
            file.seek(0)
            look(member.name, file)
    return seen, ends


def parts(source: IO[bytes], folder: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and file of each part of a backup below this folder, in order; call `read_through` first."""
    yield from ((member.name, file) for member, file in _members(source) if member.name.startswith(f"{folder}/"))


def _members(source: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, Any]]:
    """Every member after the first; each must be a regular file with a name that Insight writes."""
    names = set[str]()
    source.seek(0)
    try:
        with tarfile.open(fileobj=source, mode="r:") as tar:
            first = tar.next()
            if first is None or first.name != FIRST or not first.isreg():
                raise _no_backup()
            header = json.loads(_short(first, tar.extractfile(first)))
            if header["format"] > FORMAT:
                version = str(header.get("insight", "?"))[:40]
                raise Refused("The backup is of a newer Insight ({version}): restore it with that.", version=version)
            while member := tar.next():
                known = member.name in (MANIFEST, LAST) or NAMES.fullmatch(member.name)
                # A sparse file counts as regular, and a few bytes of it may expand to terabytes of zeros.
                if not known or not member.isreg() or member.issparse() or member.name in names:
                    raise foreign(member.name)
                names.add(member.name)
                yield member, tar.extractfile(member)
                tar.members = []  # type: ignore[attr-defined]  # it would remember them all
    except (tarfile.TarError, EOFError) as error:
        raise (_no_backup() if not names else _changed("")) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _no_backup() from error


def _no_backup() -> Refused:
    return Refused("The file is not a backup of Insight.")


def foreign(name: str) -> Refused:
    """Raised for content that Insight never writes into a backup."""
    return Refused("The backup holds something that no backup has: {name}.", name=repr(name))


def _changed(name: str) -> Refused:
    if not name:
        return Refused("The backup is not whole: it was cut off, or its making was interrupted.")
    return Refused("The backup was changed or damaged after it was made: {name}.", name=name)


def _short(member: tarfile.TarInfo, file: Any) -> bytes:
    if member.size > MOST_JSON:
        raise _changed(member.name)
    data: bytes = file.read()
    if len(data) != member.size:
        raise _changed("")
    return data


# Backup destinations: a file, a folder, or an S3 address. A backup appears there only when it is complete.
#
# A file gets its final name when its last byte is on disk; until then it has a temporary name, and its writer holds a
# lock on it. The next backup into the same folder removes what a killed one left. S3 shows an object when it is
# complete.

NAME = "insight-{at:%Y%m%dT%H%M%SZ}.tar"
NAMED = re.compile(r"insight-\d{8}T\d{6}Z\.tar")
UNFINISHED = ".insight-unfinished-"


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
    names = object_store.names(object_store.checked(folder), "") if remote else os.listdir(folder)
    old = sorted(name for name in names if NAMED.fullmatch(name))[:-keep]
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
