"""The file of a backup: a plain tar, written and read as a stream, with a digest of each part.

Its first member says what it is, so that another file and a newer format are told at once; its last two are the
manifest and its digest, so that a file that was cut off has none. Parquet files stay as they are, rows of the
database are packed in pieces by themselves; so nothing is packed twice and only small parts are whole in memory.
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
    """A stream that is read once, and the digest of what was read."""

    source: IO[bytes]
    sha256: Any = field(default_factory=hashlib.sha256)
    size: int = 0

    def read(self, size: int = -1) -> bytes:
        """As the source does."""
        data = self.source.read(size)
        self.sha256.update(data)
        self.size += len(data)
        return data

    def read_all(self) -> None:
        """To its end."""
        while self.read(PIECE):
            continue


class ArchiveWriter:
    """Writes a backup part by part; without `close` what was written is no backup.

    Args:
        out: takes the bytes, in order, and tells how many it has.
        said: of the backup, for its first member.
    """

    def __init__(self, out: IO[bytes], said: dict[str, Any]) -> None:
        self._tar = tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self.parts: dict[str, dict[str, Any]] = {}
        self._bare(FIRST, _json({"format": FORMAT, **said}))

    def add(self, name: str, source: IO[bytes], size: int, **said: Any) -> None:
        """A part of so many bytes.

        Raises:
            ValueError: for a name that no reader would take.
            OSError: when the source ends before.
        """
        if not NAMES.fullmatch(name) or name in self.parts:
            raise ValueError(f"no part of a backup is called {name}")
        hashed = Hashed(source)
        self._tar.addfile(_member(name, size), hashed)
        self.parts[name] = {"bytes": size, "sha256": hashed.sha256.hexdigest(), **said}

    def close(self, manifest: dict[str, Any]) -> None:
        """Write the manifest; now it is a backup."""
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
    """Read a backup from its first to its last byte and compare each part with its digest; the manifest.

    Args:
        source: the file, which can be read from any place in it.
        look: is given the name and the file of each part that was found whole so far.

    Raises:
        Refused: when it is no backup, of a newer Insight, cut off, changed, or made to do harm.
    """
    try:
        seen, ends = _digests(source, look)
    except tarfile.ReadError as error:  # within a part
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
    """Name and file of each part of a backup below this folder, in order; `read_through` comes before."""
    yield from ((member.name, file) for member, file in _members(source) if member.name.startswith(f"{folder}/"))


def _members(source: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, Any]]:
    """Every member after the first, each looked at: a file of a name that Insight writes."""
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
                # A sparse file is called regular, and a few bytes of it may stand for terabytes of nothing.
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
    """Something in a backup that Insight never writes."""
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
