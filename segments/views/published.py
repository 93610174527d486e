"""Pages about published models: segments, drift, churn, comparisons."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from events.metric_sentences import sentence as definition_sentence
from events.metrics import parse_retention
from reporting.csv import csv_lines
from reporting.numbers import decimal
from runs.models import Run
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import may, person, progress_of
from segments.churn import predict
from segments.churn.payload_versions import CHURN
from segments.forms import ChurnForm, RenameForm
from segments.models import ChurnRun, ComparisonRun, Segment, SegmentModel
from segments.published import compare_segments, publish
from segments.published.payload_versions import COMPARISON
from segments.report.churn_page import churn
from segments.report.comparison_page import comparison
from segments.report.drift_page import drift
from segments.report.groups import play_words, standing_of
from segments.rules import parse_rule, sentence
from segments.search.payload_versions import PROFILE


# ── Models ────────────────────────────────────────────────────────────────────
@login_required
@require_safe
def model_page(request: HttpRequest, key: str) -> HttpResponse:
    """One published model: its segments now, its versions, its drift and its churn models."""
    model = get_object_or_404(SegmentModel, key=key)
    version = model.current
    if version is None:
        return render(request, "segments/model.html", {"model": model})
    segments = list(version.segments.prefetch_related(Prefetch("churn_runs", ChurnRun.objects.light())))
    names = {segment.number: str(segment) for segment in segments}
    context = {
        "model": model,
        "version": version,
        "versions": model.versions.light("run", "published_by").prefetch_related(
            Prefetch("segments", Segment.objects.light())
        ),
        "rows": [_segment_row(segment) for segment in segments],
        "second": segments[1].pk if len(segments) > 1 else None,
        "rule": sentence(parse_rule(version.rule)) if version.rule else "",
        "drift": drift(version.drift, names),
        "churn_form": ChurnForm(),
    }
    return render(request, "segments/model.html", context)


def _segment_row(segment: Segment) -> dict[str, Any]:
    colour, text = standing_of(segment.stability)
    profile = PROFILE.read(segment.profile) if segment.profile else None
    play = "" if profile is None or isinstance(profile, Unreadable) else play_words(profile.name)
    return {
        "segment": segment,
        "size": f"{segment.size:,}",
        "play": play,
        "stability": "" if segment.stability is None else decimal(segment.stability),
        "colour": colour,
        "standing": text,
        "churn": next(iter(segment.churn_runs.all()), None),
    }


@login_required
@may("segments.change_segmentversion")
@require_POST
def refresh_model(request: HttpRequest, key: str) -> HttpResponse:
    """Place every user anew by the current version."""
    version = get_object_or_404(SegmentModel, key=key).current
    try:
        if version is not None:
            publish.refresh(version=version)
            messages.success(request, gettext("Every user was placed anew."))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("segments:model", key=key)


@login_required
@may("segments.change_segment")
@require_POST
def rename_segment(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a segment another name."""
    segment = get_object_or_404(Segment.objects.light("version__model"), pk=pk)
    form = RenameForm(request.POST)
    try:
        if form.is_valid():
            publish.rename(segment=segment, name=form.cleaned_data["name"])
            messages.success(request, gettext("The segment has a new name."))
        else:
            messages.error(request, gettext("A name needs 1 to 100 characters."))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("segments:model", key=segment.version.model.key)


@login_required
@may("segments.view_membership")
@require_safe
def members_csv(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The segment's users as CSV, written while they are read."""
    segment = get_object_or_404(Segment.objects.light("version__model"), pk=pk)
    rows = csv_lines(publish.member_rows(segment))
    response = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
    name = f"{segment.version.model.key}-v{segment.version.number}-{segment.key}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# ── Churn ─────────────────────────────────────────────────────────────────────
@login_required
@may("segments.add_churnrun")
@require_POST
def start_churn(request: HttpRequest, pk: int) -> HttpResponse:
    """Start a churn model for a segment."""
    segment = get_object_or_404(Segment.objects.light("version__model"), pk=pk)
    form = ChurnForm(request.POST)
    try:
        if form.is_valid():
            run = predict.start_churn(segment=segment, retention=form.cleaned_data["retention"], by=person(request))
            return redirect("segments:churn", pk=run.pk)
        messages.error(request, gettext("Name a retention, for example window:21-27."))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("segments:model", key=segment.version.model.key)


@login_required
@require_safe
def churn_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A churn model: how far it is, or how good it is."""
    run = get_object_or_404(ChurnRun.objects.light("segment__version__model"), pk=pk)
    context = {"run": run, **progress_of(run)}
    if run.status == Run.Status.DONE and run.payload is not None:
        result = CHURN.read(run.payload)
        if isinstance(result, Unreadable):
            context["unreadable"] = result.sentence()
        else:
            context["churn"] = churn(result)
            context["units"] = f"{result.units:,}"
            context["definition"] = definition_sentence(parse_retention(result.definition))
    return render(request, "segments/churn.html", context)


# ── Comparing two segments ────────────────────────────────────────────────────
@login_required
@may("segments.add_comparisonrun")
@require_POST
def start_comparison(request: HttpRequest, key: str) -> HttpResponse:
    """Ask what separates two segments of the current version."""
    model = get_object_or_404(SegmentModel, key=key)
    segments = {str(row.pk): row for row in Segment.objects.filter(version=model.current)}
    first, second = (segments.get(request.POST.get(name, "")) for name in ("first", "second"))
    try:
        if first is None or second is None:
            raise Refused("Choose two different segments.")
        run = compare_segments.start_comparison(first=first, second=second, by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("segments:model", key=key)
    return redirect("segments:comparison", pk=run.pk)


@login_required
@require_safe
def comparison_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A comparison: how far it is, or what separates the two."""
    run = get_object_or_404(ComparisonRun.objects.light("first__version__model", "second"), pk=pk)
    context = {"run": run, **progress_of(run)}
    if run.status == Run.Status.DONE and run.payload is not None:
        result = COMPARISON.read(run.payload)
        if isinstance(result, Unreadable):
            context["unreadable"] = result.sentence()
        else:
            context["comparison"] = comparison(result)
            context["window"] = result.window
    return render(request, "segments/comparison.html", context)
