"""Judge a finished test from an uploaded file, in the background, and add what it found to past experiments.

The file is personal data: it goes when its test is judged, and after a day in any case. What stays is the report.
"""

from dataclasses import dataclass, replace

from django.contrib.auth.models import User
from django.db import transaction

from aha.evidence.findings import PastFinding
from aha.models import Finding
from events.importing import uploads
from events.importing.text_reading import Reading, Sample
from events.models import Upload
from experiments.analyse.effects import Report
from experiments.files.analyze import analyze_file, refuse_options
from experiments.files.import_experiment import Told, refuse_design, store_report
from experiments.models import FinishedTest
from experiments.plan.design import Design
from reporting.document import dump, load
from reporting.words import Message
from runs.payloads import Schema, Unreadable
from runs.perform import Computation, enqueue
from runs.progress import Early, Progress, part
from runs.refusals import Refused

COLUMNS = "experiments:judge_columns"  # the page that confirms the columns of an upload
FILE_REPORT = Schema(Report)
NO_FILE = "The uploaded file is not there any more: upload it again."


@dataclass(frozen=True)
class Inputs:
    """What a person has confirmed, stored with the run."""

    design: Design
    reading: Reading


@dataclass(frozen=True)
class First:
    """The first rows of an upload, and how they were read."""

    sample: Sample
    reading: Reading


def first_rows(upload: Upload, encoding: str = "") -> First:
    """The columns and first rows of a file.

    Args:
        upload: complete.
        encoding: of a text file; "" guesses.

    Raises:
        Refused: at "file" or "encoding": it can't be read so, or is no table with a line of names.
    """
    looked = uploads.look_at(upload)
    if encoding and looked.reading.kind == "csv" and encoding != looked.reading.encoding:
        looked = uploads.look_at(upload, replace(looked.reading, encoding=encoding))
    if looked.reading.kind == "jsonl":
        raise Refused("A finished test is a table with a row for each user: save it as CSV, TSV or Parquet.", at="file")
    if not looked.reading.header:
        raise Refused("The first line holds no names of columns: add a line with the names, then upload it.", at="file")
    return First(looked.sample, looked.reading)


def last_choice(upload: Upload) -> Inputs | None:
    """What was confirmed for an upload whose judgement failed or was cancelled."""
    row = FinishedTest.objects.light().filter(upload=upload).first()
    return None if row is None else load(Inputs, row.inputs)


@transaction.atomic
def start_judging(*, upload: Upload, design: Design, reading: Reading, by: User | None = None) -> FinishedTest:
    """Store what was confirmed, and queue the analysis.

    Raises:
        Refused: for a choice that no file can bear, and while the file is being judged; nothing is stored.
    """
    refuse_options(design)
    Upload.objects.select_for_update().get(pk=upload.pk)
    if uploads.is_read(upload):
        raise Refused("This file is being judged already.", at="file")
    return enqueue(FinishedTest(upload=upload, name=upload.name, inputs=dump(Inputs(design, reading)), created_by=by))


def run_judging(pk: int) -> bool:
    """Judge a waiting test; True when it is done. The file is then removed; after a failure it stays for its day."""
    done = _judge(pk)
    row = FinishedTest.objects.light("upload").filter(pk=pk).first()
    if done and row is not None and row.upload is not None:
        uploads.remove_upload(row.upload)
    return done


def _compute(run: FinishedTest, progress: Progress, _early: Early) -> Report:
    if run.upload is None or not uploads.path_of(run.upload).exists():
        raise Refused(NO_FILE, at="file")
    inputs = load(Inputs, run.inputs)
    path = uploads.in_utf_8(
        uploads.path_of(run.upload),
        inputs.reading,
        uploads.is_packed(run.upload),
        lambda _s, _p: progress("read", 0.02),
    )
    try:
        report = analyze_file(path, inputs.design, part(progress, 0.05, 1.0))
    except Refused as refusal:
        raise _about(refusal, run.name) from None
    return replace(report, source=run.name)


def _conclude(run: FinishedTest, report: Report) -> None:
    FinishedTest.objects.filter(pk=run.pk).update(verdict=str(report.verdict.code))


_judge = Computation(FinishedTest, _compute, FILE_REPORT.store, _conclude)


def _about(refusal: Refused, name: str) -> Refused:
    """The refusal about the file by the name that its sender knows, not by its place on our disk."""
    message = refusal.message
    fields = {**message.fields, "file": name} if "file" in message.fields else message.fields
    return Refused(Message(message.text, fields), at=refusal.at)


def report_of(test: FinishedTest) -> Report:
    """The report of a judged test.

    Raises:
        Refused: there is none, or this version can't read it.
    """
    report = FILE_REPORT.of(test)
    if isinstance(report, Unreadable):
        raise Refused(report.sentence())
    if report is None:
        raise Refused("This test isn't judged yet.")
    return report


@transaction.atomic
def add_to_past(*, test: FinishedTest, facts: Told, by: User | None = None) -> tuple[PastFinding, ...]:
    """Store the moments of a judged test as evidence on a behaviour, as the command import_experiment does.

    Raises:
        Refused: it gives no finding on the behaviour, or these numbers or this name are stored already.
    """
    test = FinishedTest.objects.select_for_update().get(pk=test.pk)
    if test.kept_as:
        raise Refused("This test is among the past experiments already, as {name!r}.", name=test.kept_as)
    report = report_of(test)
    refuse_design(report.design)
    findings = store_report(report, facts, file=test.name, by=by)
    FinishedTest.objects.filter(pk=test.pk).update(kept_as=facts.name)
    return findings


def kept_findings(test: FinishedTest) -> list[Finding]:
    """The findings that were added from a judged test, in the order of its groups."""
    if not test.kept_as:
        return []
    return list(Finding.objects.filter(origin=Finding.Origin.FILE, source=test.kept_as).order_by("place"))
