"""Pages of import by upload: choose a file, confirm what its columns mean, follow the import, read what it did."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from events.importing import text_reading, uploads
from events.importing.import_report import IMPORT, ImportReport, reason_words, warning_words
from events.importing.mapping import Context, Mapping, event_names, guess_mapping, mistakes, needs_zone
from events.importing.options import WHITESPACE, SignupFrom
from events.importing.text_reading import ENCODINGS, SEPARATORS, Reading, Sample
from events.models import FileImport, Upload
from reporting.table import csv_lines
from runs.refusals import Refused
from runs.web import is_htmx, may, person, progress_of
from runs.zone_field import ZoneField, ZoneInput

# Form to confirm the meaning of a file's columns: lists to pick from, and a name for the event.

ZONES_FIRST = ("UTC", "Asia/Seoul", "Asia/Tokyo", "Europe/London", "America/New_York", "America/Los_Angeles")
ENCODING_WORDS = {
    "utf-8": _("UTF-8 (most files)"),
    "utf-16": _("UTF-16 (Excel's “Unicode text”)"),
    "cp949": _("CP949 / EUC-KR (Korean Windows and Excel)"),
    "shift_jis": _("Shift JIS (Japanese)"),
    "cp1252": _("Windows-1252 (Western European)"),
}
SEPARATOR_WORDS = {
    ",": _("comma"),
    "\t": _("tab"),
    ";": _("semicolon"),
    "|": _("vertical bar"),
    WHITESPACE: _("one or more blanks"),
}
# The field remains when the form is rendered again, and submits by itself: the answer to an earlier choice must not
# undo what is being typed, nor forget that it was edited.
TYPED = {"autocomplete": "off", "hx-preserve": "true", "hx-post": "", "hx-trigger": "input changed delay:600ms"}
TYPES = [("text", _("text")), ("number", _("number")), ("flag", _("yes or no"))]
SIGNUPS = [
    (SignupFrom.FIRST.value, _("The first event of each user counts as signup")),
    (SignupFrom.COLUMN.value, _("A column holds the day of the signup")),
    (SignupFrom.EVENT.value, _("An event of this file is the signup")),
    (SignupFrom.NONE.value, _("Make no signup events: they are in another file, or your service sends them")),
]


class ReadingForm(forms.Form):
    """How to read a text file."""

    separator = forms.ChoiceField(label=_("Between two columns stands"), required=False)
    header = forms.ChoiceField(
        label=_("The first line"),
        required=False,
        choices=[("1", _("holds the names of the columns")), ("0", _("is a row already"))],
    )
    encoding = forms.ChoiceField(label=_("Encoding"))

    def __init__(self, reading: Reading, data: Any = None) -> None:
        initial = {
            "separator": reading.separator.replace("\t", "tab"),
            "header": "1" if reading.header else "0",
            "encoding": reading.encoding,
        }
        super().__init__(initial if data is None else data, initial=initial)
        self.kind = reading.kind
        _choices(self, "separator", [(code.replace("\t", "tab"), SEPARATOR_WORDS[code]) for code in SEPARATORS])
        _choices(self, "encoding", [(code, ENCODING_WORDS[code]) for code in ENCODINGS])
        if self.kind != "csv":
            del self.fields["separator"], self.fields["header"]

    def reading(self) -> Reading | None:
        """The chosen reading; None for values that no list offers."""
        if not self.is_valid():
            return None
        data = self.cleaned_data
        if self.kind != "csv":
            return Reading(self.kind, data["encoding"])
        separator = data["separator"].replace("tab", "\t")
        return Reading("csv", data["encoding"], separator or ",", data["header"] != "0")


class MappingForm(forms.Form):
    """The meaning of the columns. Columns are identified by index, since a name may contain anything."""

    user = forms.ChoiceField(label=_("Who: the column with the user"))
    time = forms.ChoiceField(label=_("When: the column with the time"))
    time_format = forms.ChoiceField(label=_("How the times are written"), required=False)
    time_zone = ZoneField(
        help_text=_("The times in the file don't say their time zone. Type a city, or choose from the list."),
        widget=ZoneInput(first=ZONES_FIRST),
    )
    event = forms.ChoiceField(label=_("What: the column with the event's name"), required=False)
    event_name = forms.CharField(
        label=_("Name of the event"),
        max_length=200,
        required=False,
        help_text=_("What one row says that the user did, for example message_sent."),
        widget=forms.TextInput(attrs=TYPED),
    )
    signup = forms.ChoiceField(
        label=_("Signup"),
        choices=SIGNUPS,
        widget=forms.RadioSelect,
        help_text=_("Retention counts days from each user's signup. Events that are made here are called signup."),
    )
    signup_column = forms.ChoiceField(label=_("Column with the day of the signup"), required=False)
    signup_event = forms.ChoiceField(label=_("Event that is the signup"), required=False)
    signup_others = forms.BooleanField(label=_("Count them from their first event"), required=False)
    message_id = forms.ChoiceField(
        label=_("What makes a row different from another"),
        required=False,
        help_text=_("A row that was imported before is left out, so uploading a file twice adds nothing."),
    )

    def __init__(self, sample: Sample, mapping: Mapping, data: Any = None, *, typed: bool = True) -> None:
        """A form for these columns.

        Without `data` it is validated as if `mapping` had been sent, so that it shows at once what is wrong with a
        guess.
        """
        self.sample, self.typed = sample, typed
        self.elsewhere: list[Refused] = []  # errors about how the file is read
        initial = self._initial(mapping)
        super().__init__(initial if data is None else data, initial=initial)
        columns = [(str(place), name) for place, name in enumerate(sample.columns)]
        for name in ("user", "time"):
            _choices(self, name, columns)
        _choices(self, "event", [("", _("none: every row is the same event")), *columns])
        _choices(self, "message_id", [("", _("the content of the row")), *((c, _id_words(n)) for c, n in columns)])
        dated = [(place, name) for place, name in columns if text_reading.format_of(sample.values(name))]
        _choices(self, "signup_column", [("", "—"), *(dated or columns)])
        _choices(self, "time_format", self._formats(self._column("time")))
        event = self._column("event")
        _choices(
            self, "signup_event", [("", "—"), *((name, name) for name in (event_names(sample, event) if event else []))]
        )
        for place, _name in columns:
            self.fields[f"keep_{place}"] = forms.BooleanField(required=False)
            self.fields[f"type_{place}"] = forms.ChoiceField(choices=TYPES, required=False)

    def clean(self) -> dict[str, Any]:
        """Build the mapping, and add each of its errors to its field."""
        data = super().clean() or {}
        if not self.errors:
            self.mapping = self._mapping(data)
            for refusal in mistakes(self.mapping, self.sample):
                if refusal.at in self.fields:
                    self.add_error(refusal.at, refusal.sentence)
                else:
                    self.elsewhere.append(refusal)
        return data

    def mapping_if_valid(self) -> Mapping | None:
        """The chosen mapping; None while it is invalid."""
        return self.mapping if self.is_valid() and not self.elsewhere else None

    def columns(self) -> list[dict[str, Any]]:
        """Rows of the table of columns: name, examples, and the two fields."""
        roles = {
            self._column("user"): gettext("user"),
            self._column("time"): gettext("time"),
            self._column("event"): gettext("event"),
        }
        return [
            {
                "name": name,
                "role": roles.get(name, ""),
                "examples": list(dict.fromkeys(value[:24] for value in self.sample.values(name)[:50]))[:3],
                "keep": self[f"keep_{place}"],
                "type": self[f"type_{place}"],
            }
            for place, name in enumerate(self.sample.columns)
        ]

    def _mapping(self, data: dict[str, Any]) -> Mapping:
        properties = [
            (name, data[f"type_{place}"] or "text")
            for place, name in enumerate(self.sample.columns)
            if data[f"keep_{place}"]
        ]
        signup = SignupFrom(data["signup"])
        return Mapping(
            user=self._name(data["user"]),
            time=self._name(data["time"]),
            time_format=data["time_format"],
            time_zone=data["time_zone"],
            event=self._name(data["event"]),
            event_name="" if data["event"] else data["event_name"],
            properties=tuple(properties),
            message_id=self._name(data["message_id"]),
            signup=signup,
            signup_column=self._name(data["signup_column"]) if signup is SignupFrom.COLUMN else "",
            signup_event=data["signup_event"] if signup is SignupFrom.EVENT else "",
            signup_others=data["signup_others"] and signup is not SignupFrom.FIRST,
        )

    def _initial(self, mapping: Mapping) -> dict[str, Any]:
        place = {name: str(number) for number, name in enumerate(self.sample.columns)}
        types = dict(mapping.properties)
        return {
            "user": place[mapping.user],
            "time": place[mapping.time],
            "time_format": mapping.time_format,
            "time_zone": mapping.time_zone,
            "event": place.get(mapping.event, ""),
            "event_name": mapping.event_name,
            "signup": mapping.signup.value,
            "signup_column": place.get(mapping.signup_column, ""),
            "signup_event": mapping.signup_event,
            "signup_others": mapping.signup_others,
            "message_id": place.get(mapping.message_id, ""),
            **{f"keep_{number}": name in types for name, number in place.items()},
            **{f"type_{number}": types.get(name, "text") for name, number in place.items()},
        }

    def _formats(self, column: str) -> list[tuple[str, Any]]:
        recognised = text_reading.format_of(self.sample.values(column)) if column else ""
        first = gettext("recognised: {format}").format(format=format_words(recognised)) if recognised else "—"
        return [("", first), *((code, format_words(code)) for code in text_reading.FORMATS)]

    def _column(self, field: str) -> str:
        """The column that a field names, submitted or initial; "" for none."""
        return self._name(str(self[field].value() or ""))

    def _name(self, place: str) -> str:
        names = self.sample.columns
        return names[int(place)] if place.isdecimal() and int(place) < len(names) else ""


def format_words(code: str) -> str:
    """Label of a time format: its name or an example."""
    named = {
        "unix_s": gettext("Unix time in seconds"),
        "unix_ms": gettext("Unix time in milliseconds"),
        "unix_us": gettext("Unix time in microseconds"),
        "iso": gettext("2026-03-31, or with a time"),
    }
    if code in named:
        return named[code]
    shown = text_reading.example(code)
    order = {"%d": gettext("day first"), "%m": gettext("month first")}.get(code[:2])
    return f"{shown} ({order})" if order else shown


def _choices(form: forms.Form, name: str, choices: list[tuple[str, Any]]) -> None:
    field = form.fields[name]
    if not isinstance(field, forms.ChoiceField):
        raise TypeError(name)
    field.choices = choices


def _id_words(name: str) -> str:
    return gettext("the column {name}: an id counts once, in all files").format(name=name)


# Pages of import by upload: choose a file, confirm its columns, follow the import, read its report.

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
            upload = uploads.begin_upload(name=request.POST.get("name", ""), size=number, by=person(request))
        except Refused as refusal:
            return _refused(refusal)
        return JsonResponse({"pieces": reverse("events:import_piece", args=[upload.key]), "bytes": uploads.PIECE_BYTES})
    waiting = Upload.objects.filter(page=Upload.EVENTS)  # incomplete ones too
    waiting = waiting.exclude(imports__status__in=("queued", "running"))
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
        there = uploads.receive_piece(upload, at=int(at), stream=request, length=int(length))
        if there < upload.size:
            return JsonResponse({"received": there})
        if not upload.stored_as:
            uploads.finish_upload(upload)
    except Refused as refusal:
        return _refused(refusal)
    except FileNotFoundError as error:  # removed meanwhile, in another window
        raise Http404 from error
    return JsonResponse({"received": there, "next": reverse(upload.page, args=[upload.key])})


@login_required
@may(PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def map_columns(request: HttpRequest, key: UUID) -> HttpResponse:
    """The columns' mapping: the guess and a preview; htmx requests both again, a submitted form starts the import."""
    upload = get_object_or_404(Upload.objects.exclude(stored_as=""), key=key, page=Upload.EVENTS)
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
            row = uploads.start_import(upload=upload, mapping=mapping, reading=looked.reading, by=person(request))
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            return redirect("events:import_run", pk=row.pk)
    preview, trouble = (None, "") if mapping is None else _preview(looked, mapping)
    context = {
        "upload": upload,
        "form": form,
        "reading_form": reading_form,
        "asked": _code(looked.reading),
        "preview": preview,
        "trouble": trouble,
        "warnings": [warning_words(code, figure) for code, figure in preview.warnings] if preview else [],
        "needs_zone": mapping is None or needs_zone(mapping, looked.sample),
        "before": uploads.imported_before(upload),
    }
    template = "events/import_form.html" if is_htmx(request) else "events/import_map.html"
    return render(request, template, context)


@login_required
@may(PERMISSION)
@require_POST
def remove_file(request: HttpRequest, key: UUID) -> HttpResponse:
    """Remove an uploaded file that isn't being imported."""
    upload = get_object_or_404(Upload, key=key, page=Upload.EVENTS)
    if uploads.is_read(upload):
        messages.error(request, gettext("This file is being imported: cancel the import first."))
    else:
        uploads.remove_upload(upload)
        messages.success(request, gettext("The file was removed."))
    return redirect("events:import")


@login_required
@may("events.view_fileimport")
@require_safe
def import_page(request: HttpRequest, pk: int) -> HttpResponse:
    """An import: its progress, or its report."""
    row = get_object_or_404(FileImport.objects.select_related("upload"), pk=pk)
    report = IMPORT.of(row)
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
    report = IMPORT.of(get_object_or_404(FileImport, pk=pk))
    if not isinstance(report, ImportReport):
        raise Http404
    rows: list[tuple[Any, ...]] = [(gettext("Line"), gettext("Reason"), gettext("What stands there"))]
    rows += [(row.line, reason_words(row.reason), row.value) for row in report.examples]
    # Built before the response starts: the reader's language is no longer active while lines are streamed.
    response = StreamingHttpResponse(list(csv_lines(rows)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="refused-rows-{pk}.csv"'
    return response


def _forms(request: HttpRequest, upload: Upload) -> tuple[ReadingForm, MappingForm, uploads.Looked]:
    """The two forms of a request. Another way of reading the file gives other columns, so they are guessed again."""
    data = request.POST if request.method == "POST" else None
    chosen = uploads.last_choice(upload) if data is None else None
    looked = uploads.look_at(upload, chosen.reading if chosen else None)
    typed = looked.reading.kind == "csv"  # JSON and Parquet have types of their own
    if data is None:
        last_mapping = chosen.mapping if chosen and not uploads.mistakes_of(chosen.mapping, looked.sample) else None
        mapping = last_mapping or uploads.first_mapping(upload, looked)
        return ReadingForm(looked.reading), MappingForm(looked.sample, mapping, typed=typed), looked
    reading_form = ReadingForm(looked.reading, data)
    reading = reading_form.reading()
    if reading is not None and reading != looked.reading:
        try:
            looked = uploads.look_at(upload, reading)
        except Refused as refusal:
            reading_form.add_error(refusal.at if refusal.at in reading_form.fields else None, refusal.sentence)
    if data.get("asked") != _code(looked.reading):
        return reading_form, MappingForm(looked.sample, uploads.first_mapping(upload, looked), typed=typed), looked
    mapping = guess_mapping(looked.sample, Context(upload.name))  # nothing of it is shown: every field was submitted
    return reading_form, MappingForm(looked.sample, mapping, data, typed=typed), looked


def _preview(looked: uploads.Looked, mapping: Any) -> tuple[Any, str]:
    try:
        return uploads.preview_of(looked, mapping), ""
    except Refused as refusal:
        return None, refusal.sentence


def _code(reading: Any) -> str:
    """Identifies the way of reading that a form was made for."""
    return f"{reading.kind} {reading.encoding} {reading.separator!r} {reading.header:d}"


def _refused(refusal: Refused) -> JsonResponse:
    return JsonResponse({"error": refusal.sentence}, status=422)
