"""Pages that look for groups."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from events.metric_sentences import sentence as definition_sentence
from runs.key_from_name import key_from
from runs.listing import listing
from runs.models import Run
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import is_htmx, may, person, progress_of
from segments.forms import PublishForm, SegmentationForm, form_words
from segments.models import SegmentationRun
from segments.published import compare_segments, publish
from segments.report import features, foretelling, groups, headline, page, segment_rows, units
from segments.report.drift_page import strongest
from segments.search import foretold, payload_versions, segmentations


# ── What there is ─────────────────────────────────────────────────────────────
@login_required
@require_safe
@vary_on_headers("HX-Request")
def segment_list(request: HttpRequest) -> HttpResponse:
    """Published models, and the searches for groups; htmx gets the searches alone."""
    runs = SegmentationRun.objects.light("created_by")
    found = listing(request, runs, text_in=("title",), state_in="status", states=SegmentationRun.Status.choices)
    for run in found.page:
        run.words = form_words(run)
    if is_htmx(request):
        return render(request, "segments/run_rows.html", {"listing": found})
    rows = []
    for model in publish.models_with_current():
        for version in model.current_versions:
            colour, drift = strongest(version.drift_code) if version.rule is None else ("", "")
            segments = list(version.segments.all())
            shown = {"segments": segment_rows.rows(segments, version.units), "colour": colour, "drift": drift}
            stays = segment_rows.retention_words(segments)
            rows.append({"model": model, "version": version, "stays": stays, **shown})
    context = {"rows": rows, "listing": found, "comparisons": compare_segments.past_comparisons()}
    return render(request, "segments/list.html", context)


# ── Runs ──────────────────────────────────────────────────────────────────────
@login_required
@may("segments.add_segmentationrun")
@require_http_methods(["GET", "HEAD", "POST"])
def new_run(request: HttpRequest) -> HttpResponse:
    """Ask a segmentation and start it."""
    form = SegmentationForm(_mended(request) or None)
    if request.method == "POST" and "mend" not in request.POST and form.is_valid():
        data = form.cleaned_data
        try:
            run = segmentations.start_segmentation(
                inputs=form.inputs, title=data["title"], seed=data["seed"], by=person(request)
            )
        except Refused as refusal:
            form.refuse(refusal)
        else:
            return redirect("segments:run", pk=run.pk)
    return render(request, "segments/new_run.html", {"form": form})


def _mended(request: HttpRequest) -> QueryDict:
    """What was posted; a button that mends a field has written into it."""
    data = request.POST.copy()
    field, _space, value = str(data.get("mend", "")).partition(" ")
    if field in SegmentationForm.base_fields:
        data.setlist(field, [value] if value else [])
    return data


@login_required
@may("segments.add_segmentationrun")
@require_POST
def foretell_run(request: HttpRequest) -> HttpResponse:
    """What a search with these fields would do, as a fragment beside its form."""
    form = SegmentationForm(request.POST)
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            found = foretold.foretell(form.inputs)
        except Refused as refusal:
            context["refused"] = refusal.sentence
        else:
            context = {"facts": foretelling.facts(found), "troubles": found.troubles}
    else:
        context["refused"] = " ".join(text for texts in form.errors.values() for text in texts)
    return render(request, "segments/foretold.html", context)


@login_required
@require_safe
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A segmentation: how far it is, or what it found."""
    run = get_object_or_404(SegmentationRun.objects.defer("model"), pk=pk)
    return _run_page(request, run, _publish_form(run))


def _publish_form(run: SegmentationRun) -> PublishForm:
    name = run.title or gettext("Play pattern")
    return PublishForm(initial={"key": key_from(run.title, "play-pattern"), "name": name, "refresh_days": 1})


def _run_page(request: HttpRequest, run: SegmentationRun, form: PublishForm, status: int = 200) -> HttpResponse:
    run.words = form_words(run)
    context = {"run": run, "form": form, **progress_of(run)}
    if run.status == Run.Status.DONE and run.payload is not None:
        context |= report_body(run)
    return render(request, "segments/run.html", context, status=status)


def report_body(run: SegmentationRun) -> dict[str, Any]:
    """What `segments/run_body.html` shows of a finished search: on its page, and where it is taken away."""
    report = payload_versions.read(run.payload or {})
    if isinstance(report, Unreadable):
        return {"unreadable": report.sentence()}
    definition = report.inputs.definition
    return {
        "report": report,
        "headline": headline.headline(report),
        "why": headline.why(report),
        "definition": None if definition is None else definition_sentence(definition),
        "flow": units.flow(report),
        "sections": page.sections(report),
        "groups": groups.cards(report),
        "activity": page.activity(report),
        "dropped": features.dropped(report),
        "samples": units.samples(report),
        "published": run.published.light("model"),
    }


@login_required
@may("segments.add_segmentversion")
@require_POST
def publish_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Publish the groups of a segmentation."""
    run = get_object_or_404(SegmentationRun, pk=pk)
    form = PublishForm(request.POST)
    if form.is_valid():
        try:
            version = publish.publish_run(run=run, **form.cleaned_data, by=person(request))
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, gettext("Version %(number)s is published.") % {"number": version.number})
            return redirect("segments:model", key=version.model.key)
    return _run_page(request, run, form, status=422)
