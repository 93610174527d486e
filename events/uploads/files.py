"""Uploaded files: received in pieces, recognised, and removed after their import or after a day.

A browser sends pieces of a megabyte: each request ends long before a server's timeout, stays below a proxy's body
limit, and a lost piece is sent again. No piece is ever held in memory as a whole.
"""

import fcntl
import gzip
import hashlib
import re
import shutil
import unicodedata
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from events.importing.text_reading import guess_reading
from events.models import FileImport, Upload
from reporting.words import say
from runs.models import Run
from runs.refusals import Refused

log = structlog.get_logger()
PIECE_BYTES = 1_000_000  # below nginx's default limit of a megabyte
BLOCK = 65_536
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


def begin_upload(*, name: str, size: int, by: User | None) -> Upload:
    """Prepare to receive a file.

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
    upload = Upload.objects.create(name=shown_name(name), size=size, created_by=by)
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
        while left > 0 and (block := stream.read(min(BLOCK, left))):
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


def remove_old_uploads() -> int:
    """Remove files older than a day that no import is reading, and folders without a row; returns how many files."""
    reading = FileImport.objects.filter(
        status__in=(Run.Status.QUEUED, Run.Status.RUNNING), upload__isnull=False
    ).values_list("upload", flat=True)
    limit = timezone.now() - KEPT_FOR
    old = list(Upload.objects.filter(created_at__lt=limit).exclude(pk__in=list(reading)))
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
