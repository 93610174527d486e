"""Pages of import by upload: choose a file, confirm its columns, follow the import, read its report."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from events.importing.bad_rows import reason_words
from events.importing.guess import Context, guess_mapping
from events.importing.import_report import ImportReport
from events.importing.mapping import needs_zone
from events.models import FileImport, Upload
from events.uploads import files, imports
from events.uploads.forms import MappingForm, ReadingForm
from events.uploads.warning_words import warning_words
from reporting.csv import csv_lines
from runs.refusals import Refused
from runs.web import is_htmx, may, person, progress_of

PERMISSION = "events.add_fileimport"
SHOWN_REFUSED = 50
LATEST = 10


@login_required
@may(PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def choose_file(request: HttpRequest) -> HttpResponse:
    """Choose a file; POST (from upload.js) creates the upload and returns where to send its pieces."""
    if request.method == "POST":
        size = request.POST.get("size", "")
        try:
            number = int(size) if size.isdecimal() and len(size) < 20 else 0
            upload = files.begin_upload(name=request.POST.get("name", ""), size=number, by=person(request))
        except Refused as refusal:
            return _refused(refusal)
        return JsonResponse({"pieces": reverse("events:import_piece", args=[upload.key]), "bytes": files.PIECE_BYTES})
    waiting = Upload.objects.exclude(imports__status__in=("queued", "running"))  # incomplete ones too
    latest = FileImport.objects.light("created_by")[:LATEST]
    return render(request, "events/import.html", {"waiting": waiting.select_related("created_by"), "latest": latest})


@login_required
@may(PERMISSION)
@require_POST
def receive_piece(request: HttpRequest, key: UUID) -> HttpResponse:
    """Receive one piece of a file, as the body; after the last one, returns the next page."""
    upload = get_object_or_404(Upload, key=key)
    at, length = request.GET.get("at", ""), request.META.get("CONTENT_LENGTH") or ""
    if not (at.isdecimal() and length.isdecimal() and len(at) < 20 and len(length) < 20):
        return JsonResponse({"error": "at and Content-Length are needed"}, status=400)
    try:
        there = files.receive_piece(upload, at=int(at), stream=request, length=int(length))
        if there < upload.size:
            return JsonResponse({"received": there})
        if not upload.stored_as:
            files.finish_upload(upload)
    except Refused as refusal:
        return _refused(refusal)
    except FileNotFoundError as error:  # removed meanwhile, in another window
        raise Http404 from error
    return JsonResponse({"received": there, "next": reverse("events:import_map", args=[upload.key])})


@login_required
@may(PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def map_columns(request: HttpRequest, key: UUID) -> HttpResponse:
    """The columns' mapping: the guess and a preview; htmx requests both again, a submitted form starts the import."""
    upload = get_object_or_404(Upload.objects.exclude(stored_as=""), key=key)
    try:
        reading_form, form, looked = _forms(request, upload)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("events:import")
    mapping = form.mapping_if_valid()
    for mistake in form.elsewhere:
        reading_form.add_error(mistake.at if mistake.at in reading_form.fields else None, mistake.sentence)
    sent = request.method == "POST" and not is_htmx(request) and request.POST.get("asked") == _code(looked.reading)
    if sent and mapping is not None:
        try:
            row = imports.start_import(upload=upload, mapping=mapping, reading=looked.reading, by=person(request))
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            return redirect("events:import_run", pk=row.pk)
    found, trouble = (None, "") if mapping is None else _preview(looked, mapping)
    context = {
        "upload": upload,
        "form": form,
        "reading_form": reading_form,
        "asked": _code(looked.reading),
        "preview": found,
        "trouble": trouble,
        "warnings": [warning_words(code, figure) for code, figure in found.warnings] if found else [],
        "needs_zone": mapping is None or needs_zone(mapping, looked.sample),
        "before": imports.imported_before(upload),
    }
    template = "events/import_form.html" if is_htmx(request) else "events/import_map.html"
    return render(request, template, context)


@login_required
@may(PERMISSION)
@require_POST
def remove_file(request: HttpRequest, key: UUID) -> HttpResponse:
    """Remove an uploaded file that isn't being imported."""
    upload = get_object_or_404(Upload, key=key)
    if upload.imports.filter(status__in=("queued", "running")).exists():
        messages.error(request, gettext("This file is being imported: cancel the import first."))
    else:
        files.remove_upload(upload)
        messages.success(request, gettext("The file was removed."))
    return redirect("events:import")


@login_required
@may("events.view_fileimport")
@require_safe
def import_page(request: HttpRequest, pk: int) -> HttpResponse:
    """An import: its progress, or its report."""
    row = get_object_or_404(FileImport.objects.select_related("upload"), pk=pk)
    report = imports.read_report(row)
    context: dict[str, Any] = {"run": row, "upload": row.upload, **progress_of(row)}
    if isinstance(report, ImportReport):
        context |= {
            "report": report,
            "refused_rows": sum(report.bad.values()),
            "oldest": parse_datetime(report.oldest) if report.oldest else None,
            "newest": parse_datetime(report.newest) if report.newest else None,
            "reasons": [(reason_words(code), count) for code, count in report.bad.items()],
            "refused": [(row.line, reason_words(row.reason), row.value) for row in report.examples[:SHOWN_REFUSED]],
            "named": len(report.examples),
        }
    elif report is not None:
        context["unreadable"] = report.sentence()
    return render(request, "events/import_run.html", context)


@login_required
@may("events.view_fileimport")
@require_safe
def refused_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The first thousand refused rows as CSV."""
    report = imports.read_report(get_object_or_404(FileImport, pk=pk))
    if not isinstance(report, ImportReport):
        raise Http404
    rows: list[tuple[Any, ...]] = [(gettext("Line"), gettext("Reason"), gettext("What stands there"))]
    rows += [(row.line, reason_words(row.reason), row.value) for row in report.examples]
    # Built before the response starts: the reader's language is no longer active while lines are streamed.
    response = StreamingHttpResponse(list(csv_lines(rows)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="refused-rows-{pk}.csv"'
    return response


def _forms(request: HttpRequest, upload: Upload) -> tuple[ReadingForm, MappingForm, imports.Looked]:
    """The two forms of a request. Another way of reading the file gives other columns, so they are guessed again."""
    data = request.POST if request.method == "POST" else None
    chosen = imports.last_choice(upload) if data is None else None
    looked = imports.look_at(upload, chosen.reading if chosen else None)
    typed = looked.reading.kind == "csv"  # JSON and Parquet have types of their own
    if data is None:
        kept = chosen.mapping if chosen and not imports.mistakes_of(chosen.mapping, looked.sample) else None
        mapping = kept or imports.first_mapping(upload, looked)
        return ReadingForm(looked.reading), MappingForm(looked.sample, mapping, typed=typed), looked
    reading_form = ReadingForm(looked.reading, data)
    reading = reading_form.reading()
    if reading is not None and reading != looked.reading:
        try:
            looked = imports.look_at(upload, reading)
        except Refused as refusal:
            reading_form.add_error(refusal.at if refusal.at in reading_form.fields else None, refusal.sentence)
    if data.get("asked") != _code(looked.reading):
        return reading_form, MappingForm(looked.sample, imports.first_mapping(upload, looked), typed=typed), looked
    mapping = guess_mapping(looked.sample, Context(upload.name))  # nothing of it is shown: every field was submitted
    return reading_form, MappingForm(looked.sample, mapping, data, typed=typed), looked


def _preview(looked: imports.Looked, mapping: Any) -> tuple[Any, str]:
    try:
        return imports.preview_of(looked, mapping), ""
    except Refused as refusal:
        return None, refusal.sentence


def _code(reading: Any) -> str:
    """Identifies the way of reading that a form was made for."""
    return f"{reading.kind} {reading.encoding} {reading.separator!r} {reading.header:d}"


def _refused(refusal: Refused) -> JsonResponse:
    return JsonResponse({"error": refusal.sentence}, status=422)
