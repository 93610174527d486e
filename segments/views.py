"""Pages about segments: what is published, what is running, what a run found."""

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from events.models import Run
from events.reasons import Refused
from events.services.runs import request_cancel
from segments.forms import ChurnForm, PublishForm, RenameForm, RuleForm, RuleQuestionForm, SegmentationForm
from segments.models import ChurnRun, ComparisonRun, Segment, SegmentationRun, SegmentModel
from segments.rules import parse_rule, sentence
from segments.services import churn, comparing, publishing, rules, segmentation

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails

RUNS_SHOWN = 20


def _person(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


def _is_htmx(request: HttpRequest) -> bool:
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    return bool(htmx)


# ── What there is ─────────────────────────────────────────────────────────────
@login_required
@require_safe
def segment_list(request: HttpRequest) -> HttpResponse:
    """Published models and the latest runs."""
    from segments import model_page

    rows = []
    for model in SegmentModel.objects.all():
        version = model.current
        if version is not None:
            colour, words = model_page.worst(version.drift, gettext) if version.rule is None else ("", "")
            rows.append(
                {
                    "model": model, "version": version, "segments": version.segments.all(),
                    "colour": colour, "drift": words,
                }
            )  # fmt: skip
    return render(request, "segments/list.html", {"rows": rows, "runs": SegmentationRun.objects.all()[:RUNS_SHOWN]})


# ── Runs ──────────────────────────────────────────────────────────────────────
@login_required
@permission_required("segments.add_segmentationrun", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def new_run(request: HttpRequest) -> HttpResponse:
    """Ask a segmentation and start it."""
    form = SegmentationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            run = segmentation.start_segmentation(
                inputs=form.inputs, title=data["title"], seed=data["seed"], by=_person(request)
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("segments:run", pk=run.pk)
    return render(request, "segments/new_run.html", {"form": form})


@login_required
@require_safe
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A segmentation: how far it is, or what it found."""
    run = get_object_or_404(SegmentationRun, pk=pk)
    return _run_page(request, run, _publish_form(run))


def _publish_form(run: SegmentationRun) -> PublishForm:
    name = run.title or gettext("Play pattern")
    return PublishForm(initial={"key": slugify(run.title) or "play-pattern", "name": name, "refresh_days": 1})


def _run_page(request: HttpRequest, run: SegmentationRun, form: PublishForm, status: int = 200) -> HttpResponse:
    context = {"run": run, "form": form, **_progress(run, "segments:run_progress", "segments:cancel_run")}
    if run.status == Run.Status.DONE and run.payload is not None:
        context |= _report(run)
    return render(request, "segments/run.html", context, status=status)


def _report(run: SegmentationRun) -> dict[str, Any]:
    from events.metrics import sentence as definition_sentence
    from segments import page, report_io, tables, words

    report = report_io.read(run.payload or {})
    definition = report.inputs.definition
    return {
        "report": report,
        "headline": words.headline(report, gettext),
        "why": words.why(report, gettext),
        "definition": None if definition is None else definition_sentence(definition, gettext),
        "flow": tables.flow(report, gettext),
        "sections": [
            (gettext("Are there groups?"), page.evidence(report, gettext)),
            (gettext("Who they are"), page.description(report, gettext)),
        ],
        "groups": page.groups(report, gettext),
        "activity": page.activity(report, gettext),
        "dropped": tables.dropped(report, gettext),
        "samples": tables.samples(report, gettext),
        "published": run.published.select_related("model"),
    }


def _progress(run: Run, progress: str, cancel: str) -> dict[str, Any]:
    from segments import words

    return {
        "run": run,
        "progress_url": reverse(progress, args=[run.pk]),
        "cancel_url": reverse(cancel, args=[run.pk]),
        "stage_words": words.stage_words(run.stage, gettext),
    }


def _polled(request: HttpRequest, run: Run, page: str, context: dict[str, Any]) -> HttpResponse:
    """The progress fragment; when the run has ended, the page asks for itself anew."""
    if not _is_htmx(request):
        return redirect(page)
    response = render(request, "components/progress.html", context)
    if not run.is_open:
        response["HX-Refresh"] = "true"
    return response


def _cancel(request: HttpRequest, run: Run) -> None:
    try:
        request_cancel(run)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, gettext("The run was asked to stop."))


@login_required
@require_safe
@vary_on_headers("HX-Request")
def run_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a segmentation is."""
    run = get_object_or_404(SegmentationRun.objects.defer("payload", "model"), pk=pk)
    context = _progress(run, "segments:run_progress", "segments:cancel_run")
    return _polled(request, run, reverse("segments:run", args=[pk]), context)


@login_required
@permission_required("segments.add_segmentationrun", raise_exception=True)
@require_POST
def cancel_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask an open segmentation to stop."""
    _cancel(request, get_object_or_404(SegmentationRun, pk=pk))
    return redirect("segments:run", pk=pk)


@login_required
@permission_required("segments.add_segmentversion", raise_exception=True)
@require_POST
def publish_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Publish the groups of a segmentation."""
    run = get_object_or_404(SegmentationRun, pk=pk)
    form = PublishForm(request.POST)
    if form.is_valid():
        try:
            version = publishing.publish_run(run=run, **form.cleaned_data, by=_person(request))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, gettext("Version %(number)s is published.") % {"number": version.number})
            return redirect("segments:model", key=version.model.key)
    return _run_page(request, run, form, status=422)


# ── Rules ─────────────────────────────────────────────────────────────────────
@login_required
@permission_required("segments.add_segmentversion", raise_exception=True)
@require_http_methods(["GET", "HEAD", "POST"])
def new_rule(request: HttpRequest) -> HttpResponse:
    """Write a rule segment, and publish it."""
    form = RuleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            version = rules.publish_rule(**form.cleaned_data, by=_person(request))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, gettext("Version %(number)s is published.") % {"number": version.number})
            return redirect("segments:model", key=version.model.key)
    return render(request, "segments/new_rule.html", {"form": form})


@login_required
@permission_required("segments.add_segmentversion", raise_exception=True)
@require_POST
@vary_on_headers("HX-Request")
def preview_rule(request: HttpRequest) -> HttpResponse:
    """How many users a rule takes, as a fragment; without htmx as the whole page."""
    from segments import words

    form = RuleQuestionForm(request.POST)
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            found = rules.preview_rule(**form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            context = {"preview": found, "members": words.preview_sentence(found.members, found.units, gettext)}
    context["errors"] = [text for texts in form.errors.values() for text in texts]
    if _is_htmx(request):
        return render(request, "segments/preview.html", context)
    return render(request, "segments/new_rule.html", {"form": RuleForm(initial=request.POST.dict()), **context})


# ── Models ────────────────────────────────────────────────────────────────────
@login_required
@require_safe
def model_page(request: HttpRequest, key: str) -> HttpResponse:
    """One published model: its segments now, its versions, its drift and its churn models."""
    from segments import model_page as page

    model = get_object_or_404(SegmentModel, key=key)
    version = model.current
    if version is None:
        return render(request, "segments/model.html", {"model": model})
    segments = list(version.segments.prefetch_related("churn_runs"))
    names = {segment.number: str(segment) for segment in segments}
    context = {
        "model": model,
        "version": version,
        "versions": model.versions.select_related("run", "published_by").prefetch_related("segments"),
        "rows": [_segment_row(segment) for segment in segments],
        "rule": sentence(parse_rule(version.rule), gettext) if version.rule else "",
        "drift": page.drift(version.drift, names, gettext),
        "churn_form": ChurnForm(),
    }
    return render(request, "segments/model.html", context)


def _segment_row(segment: Segment) -> dict[str, Any]:
    from segments import words

    colour, text = words.standing_of(segment.stability, gettext)
    return {
        "segment": segment,
        "size": f"{segment.size:,}",
        "play": words.play_words(segment.profile.get("name", ()), gettext) if segment.profile else "",
        "stability": "" if segment.stability is None else words.decimal(segment.stability),
        "colour": colour,
        "standing": text,
        "churn": segment.churn_runs.first(),
    }


@login_required
@permission_required("segments.change_segmentversion", raise_exception=True)
@require_POST
def refresh_model(request: HttpRequest, key: str) -> HttpResponse:
    """Place every user anew by the current version."""
    version = get_object_or_404(SegmentModel, key=key).current
    try:
        if version is not None:
            publishing.refresh(version=version)
            messages.success(request, gettext("Every user was placed anew."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("segments:model", key=key)


@login_required
@permission_required("segments.change_segment", raise_exception=True)
@require_POST
def rename_segment(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a segment another name."""
    segment = get_object_or_404(Segment.objects.select_related("version__model"), pk=pk)
    form = RenameForm(request.POST)
    try:
        if form.is_valid():
            publishing.rename(segment=segment, name=form.cleaned_data["name"])
            messages.success(request, gettext("The segment has a new name."))
        else:
            messages.error(request, gettext("A name needs 1 to 100 characters."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("segments:model", key=segment.version.model.key)


class _Echo:
    """Where `csv` writes: it gives each line back."""

    def write(self, value: str) -> str:
        return value


@login_required
@require_safe
def members_csv(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The segment's users as CSV, written while they are read."""
    segment = get_object_or_404(Segment.objects.select_related("version__model"), pk=pk)
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield "\ufeff"  # without it Excel reads Hangul in the machine's old code page
        for row in publishing.member_rows(segment):
            yield writer.writerow(row)

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    name = f"{segment.version.model.key}-v{segment.version.number}-{segment.key}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# ── Churn ─────────────────────────────────────────────────────────────────────
@login_required
@permission_required("segments.add_churnrun", raise_exception=True)
@require_POST
def start_churn(request: HttpRequest, pk: int) -> HttpResponse:
    """Start a churn model for a segment."""
    segment = get_object_or_404(Segment.objects.select_related("version__model"), pk=pk)
    form = ChurnForm(request.POST)
    try:
        if form.is_valid():
            run = churn.start_churn(segment=segment, retention=form.cleaned_data["retention"], by=_person(request))
            return redirect("segments:churn", pk=run.pk)
        messages.error(request, gettext("Name a retention, for example window:21-27."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("segments:model", key=segment.version.model.key)


@login_required
@require_safe
def churn_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A churn model: how far it is, or how good it is."""
    run = get_object_or_404(ChurnRun.objects.select_related("segment__version__model"), pk=pk)
    context = _progress(run, "segments:churn_progress", "segments:cancel_churn")
    if run.status == Run.Status.DONE and run.payload is not None:
        from events.metrics import parse_retention
        from events.metrics import sentence as definition_sentence
        from segments import model_page as page

        context["churn"] = page.churn(run.payload, gettext)
        context["units"] = f"{run.payload['units']:,}"
        context["definition"] = definition_sentence(parse_retention(run.payload["definition"]), gettext)
    return render(request, "segments/churn.html", context)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def churn_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a churn model is."""
    run = get_object_or_404(ChurnRun.objects.defer("payload", "model"), pk=pk)
    context = _progress(run, "segments:churn_progress", "segments:cancel_churn")
    return _polled(request, run, reverse("segments:churn", args=[pk]), context)


@login_required
@permission_required("segments.add_churnrun", raise_exception=True)
@require_POST
def cancel_churn(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask an open churn model to stop."""
    _cancel(request, get_object_or_404(ChurnRun, pk=pk))
    return redirect("segments:churn", pk=pk)


# ── Comparing two segments ────────────────────────────────────────────────────
@login_required
@permission_required("segments.add_comparisonrun", raise_exception=True)
@require_POST
def start_comparison(request: HttpRequest, key: str) -> HttpResponse:
    """Ask what separates two segments of the current version."""
    model = get_object_or_404(SegmentModel, key=key)
    segments = {str(row.pk): row for row in Segment.objects.filter(version=model.current)}
    first, second = (segments.get(request.POST.get(name, "")) for name in ("first", "second"))
    try:
        if first is None or second is None:
            raise Refused(gettext("Choose two different segments."))
        run = comparing.start_comparison(first=first, second=second, by=_person(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("segments:model", key=key)
    return redirect("segments:comparison", pk=run.pk)


@login_required
@require_safe
def comparison_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A comparison: how far it is, or what separates the two."""
    run = get_object_or_404(ComparisonRun.objects.select_related("first__version__model", "second"), pk=pk)
    context = _progress(run, "segments:comparison_progress", "segments:cancel_comparison")
    if run.status == Run.Status.DONE and run.payload is not None:
        from segments import model_page as page

        context["comparison"] = page.comparison(run.payload, gettext)
        context["window"] = run.payload["window"]
    return render(request, "segments/comparison.html", context)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def comparison_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a comparison is."""
    run = get_object_or_404(ComparisonRun.objects.defer("payload"), pk=pk)
    context = _progress(run, "segments:comparison_progress", "segments:cancel_comparison")
    return _polled(request, run, reverse("segments:comparison", args=[pk]), context)


@login_required
@permission_required("segments.add_comparisonrun", raise_exception=True)
@require_POST
def cancel_comparison(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask an open comparison to stop."""
    _cancel(request, get_object_or_404(ComparisonRun, pk=pk))
    return redirect("segments:comparison", pk=pk)
