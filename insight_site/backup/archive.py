"""The backup file format: a plain tar, written and read as a stream, with a digest of each part.

The first member identifies the format and its version, so other files and newer formats are recognised at once; the
last two are the manifest and its digest, so a truncated file has none. Parquet files are stored unchanged, and rows of
the database are compressed in pieces: nothing is compressed twice, and only small parts are in memory at once.
"""

import hashlib
import io
import json
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from runs.refusals import Refused

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
            said = json.loads(_short(first, tar.extractfile(first)))
            if said["format"] > FORMAT:
                version = str(said.get("insight", "?"))[:40]
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
