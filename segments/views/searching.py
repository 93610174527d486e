"""Pages that look for groups or write them as rules."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
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
from segments.forms import PublishForm, RuleForm, RuleQuestionForm, form_words
from segments.models import SegmentationRun
from segments.published import publish, publish_rule
from segments.report import features, groups, headline, page, units
from segments.report.drift_page import strongest
from segments.rules import preview_sentence
from segments.search import payload_versions


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
            rows.append(
                {
                    "model": model,
                    "version": version,
                    "segments": version.segments.all(),
                    "colour": colour,
                    "drift": drift,
                }
            )
    return render(request, "segments/list.html", {"rows": rows, "listing": found})


# ── Runs ──────────────────────────────────────────────────────────────────────
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
        "sections": [page.evidence(report), page.groups(report)],
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


# ── Rules ─────────────────────────────────────────────────────────────────────
@login_required
@may("segments.add_segmentversion")
@require_http_methods(["GET", "HEAD", "POST"])
def new_rule(request: HttpRequest) -> HttpResponse:
    """Write a rule segment, and publish it; a link may bring its fields."""
    brought = {name: request.GET[name] for name in RuleForm.base_fields if name in request.GET}
    form = RuleForm(request.POST or None, initial=brought)
    if request.method == "POST" and form.is_valid():
        try:
            version = publish_rule.publish_rule(**form.cleaned_data, by=person(request))
        except Refused as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, gettext("Version %(number)s is published.") % {"number": version.number})
            return redirect("segments:model", key=version.model.key)
    return render(request, "segments/new_rule.html", {"form": form})


@login_required
@may("segments.add_segmentversion")
@require_POST
@vary_on_headers("HX-Request")
def preview_rule(request: HttpRequest) -> HttpResponse:
    """How many users a rule takes, as a fragment; without htmx as the whole page."""
    form = RuleQuestionForm(request.POST)
    context: dict[str, Any] = {}
    if form.is_valid():
        try:
            found = publish_rule.preview_rule(**form.cleaned_data)
        except Refused as refusal:
            form.refuse(refusal)
        else:
            context = {"preview": found, "members": preview_sentence(found.members, found.units)}
    context["errors"] = [text for texts in form.errors.values() for text in texts]
    if is_htmx(request):
        return render(request, "segments/preview.html", context)
    return render(request, "segments/new_rule.html", {"form": RuleForm(initial=request.POST.dict()), **context})
