"""Delete files beside the store that may hold a person's rows: waiting uploads, and Explore's prepared log."""

import gzip
import io
import json
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, cast

from pyarrow import parquet

from events.models import Upload
from events.prepared import numbered_log
from events.uploads import files

BLOCK = 1 << 20
BATCH_ROWS = 10_000
APART = re.compile(rb"[\s,;|\"'\[\]{}:]+")


def remove_uploads(ids: Collection[str]) -> int:
    """Remove uploads that hold one of these ids or can't be read; returns how many. They must be uploaded again."""
    names, removed = frozenset(ids), 0
    for upload in Upload.objects.all():
        path = files.path_of(upload) if upload.stored_as else files.folder_of(upload) / files.INCOMING
        if path.exists() and _holds(path, names):
            files.remove_upload(upload)
            removed += 1
    return removed


def _holds(path: Path, ids: frozenset[str]) -> bool:
    try:
        if path.suffix == ".parquet":
            return any(_text_holds(text, ids) for text in _parquet_texts(path))
        with gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _text_holds(cast("IO[bytes]", file), ids)
    except (OSError, EOFError, ValueError):
        return True


def _text_holds(file: IO[bytes], ids: frozenset[str]) -> bool:
    """Whether a text file holds one of the ids between separators; True for files that aren't UTF-8."""
    names = {form.encode() for name in ids for form in (name, json.dumps(name)[1:-1])}
    odd = {name for name in names if APART.search(name)}
    rest = b""
    while block := file.read(BLOCK):
        lines, _, after = (rest + block).rpartition(b"\n")
        lines.decode()
        if not names.isdisjoint(APART.split(lines)) or any(name in lines for name in odd):
            return True
        rest = after
    rest.decode()
    return not names.isdisjoint(APART.split(rest)) or any(name in rest for name in odd)


def _parquet_texts(path: Path) -> Iterator[IO[bytes]]:
    """Each column as lines of text; ids may be nested in JSON, and lists and structs are written as JSON."""
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            for column in batch.columns:
                yield io.BytesIO("\n".join(map(str, column.to_pylist())).encode())


def remove_prepared(_ids: Collection[str]) -> int:
    """Remove Explore's prepared log; the next query makes it again. Returns how many files were deleted."""
    removed = 0
    folder = numbered_log.folder()
    for place in folder.glob("*") if folder.is_dir() else ():
        if place.is_dir():
            removed += sum(1 for _ in place.rglob("*.parquet"))
            shutil.rmtree(place, ignore_errors=True)
        elif place.name != "lock":
            place.unlink(missing_ok=True)
    return removed
