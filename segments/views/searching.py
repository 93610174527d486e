"""Pages of segmentation runs."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from events.catalogue.refresh import ready_catalogue
from events.metrics.sentences import sentence as definition_sentence
from events.pickers.quick_fixes import Mendable, QuickFix, mended, wrong_fields
from events.upkeep.tags_and_owners import narrowed
from events.upkeep.thing_kinds import kind_of
from runs.models import Run, key_from
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.spending import refuse_over_budget, told_fact
from runs.web import is_htmx, listing, may, person, progress_of
from segments.forms import PublishForm, SegmentationForm, form_words
from segments.models import SegmentationRun, SegmentModel
from segments.published import compare_segments, members, publish
from segments.report import groups, page, segment_rows
from segments.report.drift_page import strongest
from segments.search import segmentations
from segments.search.result import SEGMENTATION


# ── What there is ─────────────────────────────────────────────────────────────
@login_required
@require_safe
@vary_on_headers("HX-Request")
def segment_list(request: HttpRequest) -> HttpResponse:
    """Published models, and segmentation runs; htmx requests get only the runs."""
    runs = SegmentationRun.objects.light("created_by")
    listed = listing(request, runs, text_in=("title",), state_in="status", states=SegmentationRun.Status.choices)
    for run in listed.page:
        run.words = form_words(run)
    if is_htmx(request):
        return render(request, "segments/run_rows.html", {"listing": listed})
    rows = []
    narrow = narrowed(request, kind_of(SegmentModel), members.models_with_current())
    for model in narrow.rows:
        for version in model.current_versions:
            colour, drift = strongest(version.drift_code) if version.rule is None else ("", "")
            segments = list(version.segments.all())
            shown = {
                "segments": segment_rows.rows(segments, version.units, version.shape),
                "colour": colour,
                "drift": drift,
            }
            stays = segment_rows.retention_words(segments)
            rows.append({"model": model, "version": version, "stays": stays, **shown})
    context = {"rows": rows, "listing": listed, "narrow": narrow, "comparisons": compare_segments.past_comparisons()}
    return render(request, "segments/list.html", context)


# ── Runs ──────────────────────────────────────────────────────────────────────
@login_required
@may("segments.add_segmentationrun")
@require_http_methods(["GET", "HEAD", "POST"])
def new_run(request: HttpRequest) -> HttpResponse:
    """Create and start a segmentation; the URL may prefill its fields."""
    if request.method != "POST":
        usual = {"signup_event": ready_catalogue().guess_signup(), "retention": "window:21-27"}
        brought = {name: request.GET[name] for name in SegmentationForm.base_fields if request.GET.get(name)}
        return _new_page(request, SegmentationForm(initial=usual | brought))
    if "mend" in request.POST or "look" in request.POST:
        form = SegmentationForm(mended(request.POST))
        return _new_page(request, form, _foretold(form))
    form = SegmentationForm(request.POST)
    _foretold(form)
    if form.is_valid():
        data = form.cleaned_data
        try:
            run = segmentations.start_segmentation(
                inputs=form.inputs, title=data["title"], seed=data["seed"], by=person(request)
            )
        except Refused as refusal:
            form.refuse(refusal)
        else:
            return redirect("segments:run", pk=run.pk)
    return _new_page(request, form)


@login_required
@may("segments.add_segmentationrun")
@require_POST
def foretell_run(request: HttpRequest) -> HttpResponse:
    """Preview of a run with these fields, as an HTML fragment beside the form."""
    return render(request, "components/before/preview.html", _foretold(SegmentationForm(request.POST)))


def _new_page(request: HttpRequest, form: SegmentationForm, looked: dict[str, Any] | None = None) -> HttpResponse:
    return render(request, "segments/new_run.html", {"form": form, "looked": looked})


def _foretold(form: SegmentationForm) -> dict[str, Any]:
    """The preview; its errors are added to the form, with suggested corrections."""
    context: dict[str, Any] = {}
    try:
        if form.is_valid():
            price = segmentations.price_of(form.inputs)
            refuse_over_budget(price)
            forecast = segmentations.foretell(form.inputs)
            for trouble in forecast.troubles:
                if trouble.refuses:
                    mends = [] if trouble.label is None else [QuickFix(trouble.value, str(trouble.label))]
                    form.add_error(trouble.field or None, Mendable(str(trouble.why), *mends))
                else:
                    context["warning"] = str(trouble.why)
            text = gettext("Which users play alike on days %(first)s to %(last)s?")
            context["asked"] = text % {"first": form.inputs.first_day, "last": form.inputs.last_day}
            context["facts"] = (*page.facts(forecast), told_fact(SegmentationRun, price))
    except Refused as refusal:
        form.refuse(refusal)
    context["wrong"] = wrong_fields(form)
    return context


@login_required
@require_safe
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A segmentation: its progress or its result."""
    run = get_object_or_404(SegmentationRun.objects.defer("model"), pk=pk)
    return _run_page(request, run, _publish_form(run))


def _publish_form(run: SegmentationRun) -> PublishForm:
    name = run.title or gettext("Play pattern")
    return PublishForm(initial={"key": key_from(run.title, "play-pattern"), "name": name, "refresh_days": 1})


def _run_page(request: HttpRequest, run: SegmentationRun, form: PublishForm, status: int = 200) -> HttpResponse:
    run.words = form_words(run)
    tab = request.GET.get("tab", "")
    tab = tab if tab in ("evidence", "method") else "answer"
    shown = {"answer": ("groups", "stays"), "evidence": ("evidence", "maps")}.get(tab, ())
    context = {"run": run, "form": form, "tab": tab, "shown": shown, **progress_of(run)}
    if run.status == Run.Status.DONE and run.payload is not None:
        context |= report_body(run)
    return render(request, "segments/run.html", context, status=status)


def report_body(run: SegmentationRun) -> dict[str, Any]:
    """Context of `segments/run_body.html` for a finished run, on its page and in its download."""
    report = SEGMENTATION.read(run.payload or {})
    if isinstance(report, Unreadable):
        return {"unreadable": report.sentence()}
    definition = report.inputs.definition
    return {
        "report": report,
        "headline": page.headline(report),
        "why": page.why(report),
        "definition": None if definition is None else definition_sentence(definition),
        "flow": page.flow(report),
        "sections": page.sections(report),
        "groups": groups.cards(report),
        "activity": page.activity(report),
        "activity_tab": "evidence" if report.found else "answer",  # without groups the tiers are the answer
        "dropped": groups.dropped(report),
        "samples": page.samples(report),
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
