"""Pages about published models: segments, their users, drift, churn."""

import json
from collections.abc import Iterable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from events.metrics import parse_retention
from events.metrics.sentences import sentence as definition_sentence
from events.upkeep.tags_and_owners import OWNERS
from reporting.table import csv_lines
from runs.models import Run
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import may, person, progress_of
from segments.forms import ChurnForm, RenameForm
from segments.models import ChurnRun, Segment, SegmentModel, SegmentVersion, slug_of
from segments.names import title_of
from segments.published import compare_segments, members, predict_churn, publish
from segments.published.churn_model import CHURN
from segments.report import segment_rows
from segments.report.churn_page import churn
from segments.report.drift_page import drift
from segments.report.segment_rows import breakdown, refresh_words, shortened
from segments.rules import parse_rule, sentence


# ── Models ────────────────────────────────────────────────────────────────────
@login_required
@require_safe
def model_page(request: HttpRequest, key: str) -> HttpResponse:
    """One published model: its current segments, versions, drift and churn models."""
    model = get_object_or_404(SegmentModel.objects.select_related(*OWNERS), key=key)
    version = model.current
    if version is None:
        return render(request, "segments/model.html", {"model": model})
    segments = list(version.segments.light().prefetch_related(Prefetch("churn_runs", ChurnRun.objects.light())))
    names = {segment.number: title_of(segment.name, segment.key, segment.pattern) for segment in segments}
    versions = model.versions.light("run", "published_by").prefetch_related(
        Prefetch("segments", Segment.objects.light())
    )
    churn_runs = {segment.pk: next(iter(segment.churn_runs.all()), None) for segment in segments}
    context = {
        "model": model,
        "version": version,
        "versions": versions,
        "rows": [
            {
                "segment": shown,
                "churn": churn_runs[shown.pk],
                "slug": slug_of(key, model.kind, version.number, shown.key),
            }
            for shown in segment_rows.rows(segments, version.units, version.shape)
        ],
        "picture": segment_rows.picture(segments),
        "stays": segment_rows.retention_words(segments),
        "rule": sentence(parse_rule(version.rule)) if version.rule else "",
        "rule_text": json.dumps(version.rule, ensure_ascii=False) if version.rule else "",
        "drift": drift(version.drift, names, lambda number: _names(versions, number)),
        "comparisons": compare_segments.past_comparisons(version),
        "churn_form": ChurnForm(),
        "refresh_words": refresh_words(version.units, version.rule is not None),
    }
    return render(request, "segments/model.html", context)


def _names(versions: Iterable[SegmentVersion], number: int) -> dict[int, str]:
    """Current names of the segments of an earlier version."""
    version = next((row for row in versions if row.number == number), None)
    return (
        {}
        if version is None
        else {each.number: title_of(each.name, each.key, each.pattern) for each in version.segments.all()}
    )


@login_required
@may("segments.change_segmentversion")
@require_POST
def refresh_model(request: HttpRequest, key: str) -> HttpResponse:
    """Place every user again by the current version."""
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
    """The segment's users as a streamed CSV file."""
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
            run = predict_churn.start_churn(
                segment=segment, retention=form.cleaned_data["retention"], by=person(request)
            )
            return redirect("segments:churn", pk=run.pk)
        messages.error(request, " ".join(str(text) for texts in form.errors.values() for text in texts))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("segments:model", key=segment.version.model.key)


@login_required
@require_safe
def churn_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A churn model: its progress or its quality."""
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


# Pages of a segment's users, and of one user's segments.

LONGEST_ID = 256


@login_required
@require_safe
def segment_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One segment: its users' traits, and a few user ids for viewers with permission to see users."""
    segment = get_object_or_404(Segment.objects.published(), pk=pk)
    users = members.who_is_in(segment)
    context = {
        "segment": segment,
        "row": segment_rows.row(segment, segment.version.units, segment.version.shape),
        "stays": segment_rows.retention_words([segment]),
        "traits": breakdown(users),
        "sample": [(unit, shortened(unit)) for unit in users.sample],
    }
    return render(request, "segments/segment.html", context)


@login_required
@may("segments.view_membership")
@require_safe
def find_user(request: HttpRequest) -> HttpResponse:
    """The segments of a user, found by exact id."""
    unit = request.GET.get("id", "").replace("\x00", "")[:LONGEST_ID]
    membership = members.find_user(unit) if unit else None
    return render(request, "segments/user.html", {"unit": unit, "found": membership})
