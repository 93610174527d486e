"""Services of imports by upload: examine a file, start its import, run it in the worker."""

import codecs
import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from events.catalogue.refresh import request_catalogue
from events.importing.guess import Context, guess_mapping
from events.importing.import_report import IMPORT, read_import
from events.importing.mapping import Mapping, mistakes, options_of
from events.importing.signup_choice import SIGNUP
from events.importing.text_reading import Reading, Sample, guess_reading, sample_of
from events.models import FileImport, Upload
from events.outbox import ownership
from events.uploads import files
from reporting.document import dump, load
from runs.models import Run
from runs.perform import enqueue, perform
from runs.progress import Progress, silent
from runs.queue.enqueue import put
from runs.refusals import Refused

# The engine is imported only where a file is read: web processes must start without it.
BLOCK = 1 << 20
HOME_FIGURES = "insight_site.tasks.count_home_figures"
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

    path, packed = files.path_of(upload), files.is_packed(upload)
    if not path.exists():
        raise Refused("The uploaded file is not there any more: upload it again.", at="file")
    if upload.stored_as == "data.parquet":
        return Looked(Beginning(path, b"", False, False), Reading("parquet"), parquet_sample(path))
    head, whole = files.head_of(path, packed=packed)
    found = reading or guess_reading(head)
    return Looked(Beginning(path, head, whole, packed), found, sample_of(head, found))


def first_mapping(upload: Upload, looked: Looked) -> Mapping:
    """The initial mapping: that of the last import of the same file, so that nothing is duplicated, or a guess.

    The guess makes no signups if most of the file's first users already have one.
    """
    before = imported_before(upload)
    if before is not None:
        inputs = load(Inputs, before.inputs)
        if inputs.reading == looked.reading and not mistakes_of(inputs.mapping, looked.sample):
            return inputs.mapping
    return guess_mapping(looked.sample, Context(upload.name, settings.TIME_ZONE, have_signed_up))


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
    if upload.imports.filter(status__in=(Run.Status.QUEUED, Run.Status.RUNNING)).exists():
        raise Refused("This file is being imported already.", at="file")
    row = FileImport(
        upload=upload, name=upload.name, digest=upload.digest, inputs=dump(Inputs(mapping, reading)), created_by=by
    )
    row.full_clean()
    row.save()
    enqueue(row)
    return row


def run_import(pk: int, *, listen: Progress = silent) -> bool:
    """Import a waiting file; True when it is done. The file is then removed; after a failure it stays."""
    row = FileImport.objects.select_related("upload").filter(pk=pk).first()
    if row is None:
        return False
    done = perform(row, lambda progress: _compute(row, progress), listen=listen)
    if done:
        request_catalogue()
        put(HOME_FIGURES)
    if done and row.upload is not None:
        files.remove_upload(row.upload)
    return done


def read_report(row: FileImport) -> Any:
    """The report of a finished import (or `Unreadable`); None before."""
    return None if row.payload is None else read_import(row.payload)


def _compute(row: FileImport, progress: Progress) -> dict[str, Any]:
    from events.importing.import_file import import_files

    if row.upload is None:
        raise Refused("The uploaded file is not there any more: upload it again.", at="file")
    inputs = load(Inputs, row.inputs)
    looked = look_at(row.upload, inputs.reading)
    options = options_of(inputs.mapping, inputs.reading, looked.sample)
    path = _in_utf_8(looked.beginning.path, inputs.reading, files.is_packed(row.upload), progress)
    report = import_files([path], options, _listener(progress))
    if report.rows and not report.imported + report.already_there:
        raise Refused(
            "None of the {count} rows could be kept: go back and look at the preview.", count=f"{report.rows:,}"
        )
    report = replace(report, examples=tuple(replace(bad, file="") for bad in report.examples))
    FileImport.objects.filter(pk=row.pk).update(imported=report.imported, refused_rows=sum(report.bad.values()))
    return IMPORT.store(report)


def _listener(progress: Progress) -> Callable[[str, float, float], None]:
    def listen(step: str, percent: float, _rows_per_second: float) -> None:
        low, high = STEPS[step]
        progress(step, low + (high - low) * percent / 100)

    return listen


def _in_utf_8(path: Path, reading: Reading, packed: bool, progress: Progress) -> Path:
    """The file itself, or a UTF-8 copy beside it, which the engine needs."""
    if reading.encoding == "utf-8" or reading.kind == "parquet":
        return path
    copy = path.with_name(f"utf8.{reading.kind}")
    errors = "replace" if reading.encoding == "utf-16" else "surrogateescape"
    decoder = codecs.getincrementaldecoder(reading.encoding)(errors=errors)
    with gzip.open(path) if packed else path.open("rb") as source, copy.open("wb") as target:
        while block := source.read(BLOCK):
            target.write(decoder.decode(block).encode("utf-8", "surrogateescape"))
            progress("prepare", 0.02)
        target.write(decoder.decode(b"", final=True).encode("utf-8", "surrogateescape"))
    return copy
