"""Imports by upload: files on the disk, a look at one, its import by the worker, its removal."""

import codecs
import fcntl
import gzip
import hashlib
import re
import shutil
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from events.catalogue.refresh import request_catalogue
from events.importing.import_report import IMPORT, ImportReport
from events.importing.mapping import Context, Mapping, guess_mapping, mistakes, options_of
from events.importing.options import SIGNUP
from events.importing.text_reading import Reading, Sample, guess_reading, sample_of
from events.models import FileImport, Upload
from events.store import ownership
from reporting.document import dump, load
from reporting.words import say
from runs.models import Run
from runs.perform import enqueue, perform
from runs.progress import Progress, silent
from runs.queue.jobs import put
from runs.refusals import Refused
from runs.site_zone import site_zone

# Uploaded files: received in pieces, recognised, and removed after their import or after a day.
#
# A browser sends pieces of a megabyte: each request ends long before a server's timeout, stays below a proxy's body
# limit, and a lost piece is sent again. No piece is ever held in memory as a whole.

log = structlog.get_logger()
PIECE_BYTES = 1_000_000  # below nginx's default limit of a megabyte
FILES_BLOCK = 65_536
HEAD_BYTES = 4 * 1024 * 1024
KEPT_FOR = timedelta(days=1)
ROOM = 3  # an import writes the rows beside the file, and perhaps a copy in UTF-8
INCOMING = "incoming"
GZIP = b"\x1f\x8b"
# Characters that reverse text or break a line; folders of a path are cut off before.
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff<>:\"|?*]")


class ByteStream(Protocol):
    """A request, or an open file."""

    def read(self, size: int, /) -> bytes:
        """Read up to so many bytes."""


def begin_upload(*, name: str, size: int, by: User | None, page: str = Upload.EVENTS) -> Upload:
    """Prepare to receive a file.

    Args:
        name: of the file on the sender's disk.
        size: in bytes.
        by: the account that sends it.
        page: route of the page, with the upload's key, that confirms its columns.

    Raises:
        Refused: at "file", when it is empty or too large, the disk is full, or too many files wait.
    """
    if size < 1:
        raise Refused("The file is empty: choose one with at least one row.", at="file")
    most = settings.UPLOAD_BYTES
    if size > most:
        raise Refused(
            "The file has {size}; at most {most} can be uploaded. Split it, pack it with gzip, or ask an administrator "
            "to read it with import_events.",
            size=_megabytes(size),
            most=_megabytes(most),
            at="file",
        )
    remove_old_uploads()
    if Upload.objects.count() >= settings.UPLOADS_WAITING:
        raise Refused(
            "{count} uploaded files wait already: import or remove one of them first.",
            count=settings.UPLOADS_WAITING,
            at="file",
        )
    _folder().mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(_folder()).free < size * ROOM:
        raise Refused(
            "The server's disk has too little room for this file: ask an administrator to make some.", at="file"
        )
    upload = Upload.objects.create(name=shown_name(name), size=size, created_by=by, page=page)
    folder_of(upload).mkdir(mode=0o700)
    (folder_of(upload) / INCOMING).touch()
    log.info("upload.begun", upload=upload.pk, bytes=size)
    return upload


def receive_piece(upload: Upload, *, at: int, stream: ByteStream, length: int) -> int:
    """Append one piece; returns the number of bytes received so far.

    A piece that doesn't begin where the file ends changes nothing: the sender continues from the returned number.

    Raises:
        Refused: at "file", for a piece that is too long, or longer than the file was said to be.
    """
    if upload.stored_as:
        return int(upload.size)
    if length > PIECE_BYTES or at + length > upload.size:
        raise Refused("The file has changed while it was being sent: choose it again.", at="file")
    with (folder_of(upload) / INCOMING).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # a browser that lost the answer may send a piece twice at once
        there = file.seek(0, 2)
        if there != at:
            return there
        left = length
        while left > 0 and (block := stream.read(min(FILES_BLOCK, left))):
            file.write(block)
            left -= len(block)
        if left:  # the connection broke: discard the incomplete piece
            file.truncate(at)
            return at
    return at + length


def finish_upload(upload: Upload) -> None:
    """Recognise a completely received file; one without rows is removed.

    Raises:
        Refused: at "file", with advice on what to upload instead.
    """
    incoming = folder_of(upload) / INCOMING
    with incoming.open("rb") as file:
        packed = file.read(2) == GZIP
    try:
        kind = guess_reading(head_of(incoming, packed=packed)[0]).kind
        if packed and kind == "parquet":
            raise Refused("This Parquet file is packed with gzip: unpack it first.", at="file")
    except Refused:
        remove_upload(upload)
        raise
    with incoming.open("rb") as file:
        upload.digest = hashlib.file_digest(file, "sha256").hexdigest()
    upload.stored_as = f"data.{kind}" + (".gz" if packed else "")
    incoming.rename(path_of(upload))
    upload.save(update_fields=["digest", "stored_as"])


def head_of(path: Path, *, packed: bool) -> tuple[bytes, bool]:
    """The first megabytes of a file, unpacked, up to the end of a line; and whether that is the whole file.

    Raises:
        Refused: at "file", when it can't be unpacked.
    """
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            head = file.read(HEAD_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Refused(
            "The file is packed with gzip, but damaged or cut: pack and upload it again.", at="file"
        ) from error
    if len(head) <= HEAD_BYTES:
        return head, True
    end = head.rfind(b"\n") + 1
    utf_16 = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    return head[: HEAD_BYTES if utf_16 or not end else end], False


def path_of(upload: Upload) -> Path:
    """Path of a complete upload."""
    return folder_of(upload) / upload.stored_as


def is_packed(upload: Upload) -> bool:
    """True for gzip."""
    return upload.stored_as.endswith(".gz")


def folder_of(upload: Upload) -> Path:
    """An upload's own folder, named by its key, never by the sender's file name."""
    return _folder() / str(upload.key)


def remove_upload(upload: Upload) -> None:
    """Remove a file and its row; the rows of its imports stay."""
    folder = folder_of(upload)
    upload.delete()
    shutil.rmtree(folder, ignore_errors=True)
    log.info("upload.removed", folder=folder.name)


def is_read(upload: Upload) -> bool:
    """True while a run of any kind waits or runs that reads this file."""
    kinds: list[Any] = [one.related_model for one in Upload._meta.related_objects]
    return any(
        kind._default_manager.filter(upload=upload, status__in=Run.OPEN).exists()
        for kind in kinds
        if issubclass(kind, Run)
    )


def remove_old_uploads() -> int:
    """Remove files older than a day that no run is reading, and folders without a row; returns how many files."""
    limit = timezone.now() - KEPT_FOR
    old = [upload for upload in Upload.objects.filter(created_at__lt=limit) if not is_read(upload)]
    for upload in old:
        remove_upload(upload)
    known = {str(key) for key in Upload.objects.values_list("key", flat=True)}
    for folder in _folder().glob("*-*-*-*-*"):
        if folder.name not in known and folder.stat().st_mtime < limit.timestamp():
            shutil.rmtree(folder, ignore_errors=True)
    return len(old)


def shown_name(name: str) -> str:
    """A file's name for display: without folders, without invisible characters, Hangul composed (NFC)."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    return UNSEEN.sub("", last).strip(" .")[:120] or "file"


def _folder() -> Path:
    return Path(settings.UPLOADS_DIR)


def _megabytes(size: int) -> object:
    return say("{megabytes} MB", megabytes=f"{size / 1e6:,.0f}")


# Services of imports by upload: examine a file, start its import, run it in the worker.

# The engine is imported only where a file is read: web processes must start without it.
IMPORTS_BLOCK = 1 << 20
HOME_FIGURES = "insight_site.tasks.count_home_figures"
HOME_ASKED, HOME_SECONDS = "events.home_figures.asked", 3600
# Share of an import done at the beginning and end of each step.
STEPS = {"read": (0.05, 0.7), "bad": (0.7, 0.75), "compare": (0.75, 0.85), "signup": (0.85, 0.9), "store": (0.9, 1.0)}


@dataclass(frozen=True)
class Inputs:
    """What a person has confirmed, stored with the run."""

    mapping: Mapping
    reading: Reading


@dataclass(frozen=True)
class Looked:
    """An uploaded file as read: `beginning` is an `events.importing.first_rows.Beginning`."""

    beginning: Any
    reading: Reading
    sample: Sample


def look_at(upload: Upload, reading: Reading | None = None) -> Looked:
    """The columns and first rows of a file.

    Args:
        upload: complete.
        reading: how to read it; None guesses.

    Raises:
        Refused: at "file" or "encoding", when it can't be read this way.
    """
    from events.importing.first_rows import Beginning, parquet_sample

    path, packed = path_of(upload), is_packed(upload)
    if not path.exists():
        raise Refused("The uploaded file is not there any more: upload it again.", at="file")
    if upload.stored_as == "data.parquet":
        return Looked(Beginning(path, b"", False, False), Reading("parquet"), parquet_sample(path))
    head, whole = head_of(path, packed=packed)
    chosen = reading or guess_reading(head)
    return Looked(Beginning(path, head, whole, packed), chosen, sample_of(head, chosen))


def first_mapping(upload: Upload, looked: Looked) -> Mapping:
    """The initial mapping: that of the last import of the same file, so that nothing is duplicated, or a guess.

    The guess makes no signups if most of the file's first users already have one.
    """
    before = imported_before(upload)
    if before is not None:
        inputs = load(Inputs, before.inputs)
        if inputs.reading == looked.reading and not mistakes_of(inputs.mapping, looked.sample):
            return inputs.mapping
    return guess_mapping(looked.sample, Context(upload.name, site_zone(), have_signed_up))


def last_choice(upload: Upload) -> Inputs | None:
    """The mapping confirmed for an upload whose import was cancelled or failed."""
    row = FileImport.objects.light().filter(upload=upload).first()
    return None if row is None else load(Inputs, row.inputs)


def mistakes_of(mapping: Mapping, sample: Sample) -> list[Refused]:
    """Errors of a mapping, including columns that the file doesn't have."""
    named = {mapping.user, mapping.time, *(name for name, _ in mapping.properties)}
    named |= {name for name in (mapping.event, mapping.message_id, mapping.signup_column) if name}
    if named - set(sample.columns):
        return [Refused("The file has other columns.", at="file")]
    return mistakes(mapping, sample)


def preview_of(looked: Looked, mapping: Mapping) -> Any:
    """The first rows as they would be stored (`events.importing.first_rows.Preview`).

    Raises:
        Refused: when the file can't be read this way.
    """
    from events.importing.first_rows import preview

    return preview(
        looked.beginning, looked.reading, looked.sample, mapping, timezone.now(), signed_up=users_who_signed_up
    )


def users_who_signed_up(users: list[str]) -> int:
    """How many of these users have a signup event in the store."""
    from events.importing.first_rows import users_with_event

    try:
        return users_with_event(ownership.files_to_read(), SIGNUP, users)
    except ownership.StoreRefused:
        return 0


def have_signed_up(users: list[str]) -> bool:
    """True when most of these users have a signup event in the store."""
    return users_who_signed_up(users) > len(users) / 2


def imported_before(upload: Upload) -> FileImport | None:
    """The last finished import of the same bytes."""
    same = FileImport.objects.light().filter(digest=upload.digest, status=Run.Status.DONE)
    return same.first() if upload.digest else None


@transaction.atomic
def start_import(*, upload: Upload, mapping: Mapping, reading: Reading, by: User | None = None) -> FileImport:
    """Store the confirmed mapping and queue the import.

    Raises:
        Refused: when the file is being imported already.
    """
    Upload.objects.select_for_update().get(pk=upload.pk)
    if upload.imports.filter(status__in=Run.OPEN).exists():
        raise Refused("This file is being imported already.", at="file")
    row = FileImport(
        upload=upload, name=upload.name, digest=upload.digest, inputs=dump(Inputs(mapping, reading)), created_by=by
    )
    return enqueue(row)


def run_import(pk: int, *, listen: Progress = silent) -> bool:
    """Import a waiting file; True when it is done. The file is then removed; after a failure it stays."""
    row = FileImport.objects.select_related("upload").filter(pk=pk).first()
    if row is None:
        return False
    done = perform(row, partial(_compute, row), IMPORT.store, conclude=partial(_conclude, row), listen=listen)
    if done:
        request_catalogue()
        put(HOME_FIGURES)
    if done and row.upload is not None:
        remove_upload(row.upload)
    return done


def request_home_figures() -> None:
    """Let a worker count the figures of the first page, at most once an hour: events that trickle in change little."""
    if cache.add(HOME_ASKED, True, HOME_SECONDS):
        put(HOME_FIGURES)


def _compute(row: FileImport, progress: Progress) -> ImportReport:
    from events.importing.import_file import import_files

    if row.upload is None:
        raise Refused("The uploaded file is not there any more: upload it again.", at="file")
    inputs = load(Inputs, row.inputs)
    looked = look_at(row.upload, inputs.reading)
    options = options_of(inputs.mapping, inputs.reading, looked.sample)
    path = in_utf_8(looked.beginning.path, inputs.reading, is_packed(row.upload), progress)
    report = import_files([path], options, _listener(progress))
    if report.rows and not report.imported + report.already_there:
        raise Refused(
            "None of the {count} rows could be stored: go back and check the preview.", count=f"{report.rows:,}"
        )
    return replace(report, examples=tuple(replace(bad, file="") for bad in report.examples))


def _conclude(row: FileImport, report: ImportReport) -> None:
    FileImport.objects.filter(pk=row.pk).update(imported=report.imported, refused_rows=sum(report.bad.values()))


def _listener(progress: Progress) -> Callable[[str, float, float], None]:
    def listen(step: str, percent: float, _rows_per_second: float) -> None:
        low, high = STEPS[step]
        progress(step, low + (high - low) * percent / 100)

    return listen


def in_utf_8(path: Path, reading: Reading, packed: bool, progress: Progress) -> Path:
    """The file itself, or a UTF-8 copy beside it, which the engine needs."""
    if reading.encoding == "utf-8" or reading.kind == "parquet":
        return path
    copy = path.with_name(f"utf8.{reading.kind}")
    errors = "replace" if reading.encoding == "utf-16" else "surrogateescape"
    decoder = codecs.getincrementaldecoder(reading.encoding)(errors=errors)
    with gzip.open(path) if packed else path.open("rb") as source, copy.open("wb") as target:
        while block := source.read(IMPORTS_BLOCK):
            target.write(decoder.decode(block).encode("utf-8", "surrogateescape"))
            progress("prepare", 0.02)
        target.write(decoder.decode(b"", final=True).encode("utf-8", "surrogateescape"))
    return copy
