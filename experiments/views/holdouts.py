"""Pages of holdout reports: the plans, a new one, one with its readings."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from aha.questions.defaults import usual_retention, usual_start
from events.pickers.mends import mended
from experiments.analyse.holdout_report import holdout_readings
from experiments.analyse.holdout_report.holdout_result import HoldoutReport
from experiments.forms.holdout_plan_form import HoldoutPlanForm
from experiments.models import Holdout, HoldoutPlan, HoldoutReading
from experiments.report import holdout_page, holdout_words
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import may, person, progress_of

MOST = 200  # plans of the list, the newest


@login_required
@require_safe
def holdout_list(request: HttpRequest) -> HttpResponse:
    """All plans, the newest first, with their progress."""
    plans = HoldoutPlan.objects.select_related("holdout", "created_by")[:MOST]
    rows = []
    for plan in plans:
        run = HoldoutReading.objects.light().filter(plan=plan).order_by("-pk").first()
        asked = holdout_readings.question_of(plan)
        rows.append({"plan": plan, "run": run, "asked": asked, "planned": holdout_words.readings_sentence(asked)})
    return render(request, "experiments/holdouts.html", {"rows": rows, "any_holdout": Holdout.objects.exists()})


@login_required
@may("experiments.add_holdoutplan")
@require_http_methods(["GET", "HEAD", "POST"])
def new_holdout_plan(request: HttpRequest) -> HttpResponse:
    """Form for a new plan."""
    form = HoldoutPlanForm(initial=_usual())
    if request.method == "POST" and "mend" in request.POST:
        form = HoldoutPlanForm(mended(request.POST))
    elif request.method == "POST":
        form = HoldoutPlanForm(request.POST)
        if form.is_valid():
            try:
                plan = holdout_readings.plan_holdout(by=person(request), **form.values())
            except Refused as refusal:
                form.refuse(refusal)
            else:
                messages.success(request, gettext("The plan is kept, and can't be changed any more."))
                return redirect("experiments:holdout", pk=plan.pk)
    return render(request, "experiments/new_holdout.html", {"form": form, "any_holdout": Holdout.objects.exists()})


@login_required
@require_safe
def holdout_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """A plan with its last successful reading, and above it the state of a newer one."""
    plan = _find(pk)
    return _page(request, plan, holdout_readings.latest_reading(plan))


@login_required
@require_safe
def holdout_reading(request: HttpRequest, plan_id: int, pk: int) -> HttpResponse:
    """One reading, also an older one or one that failed."""
    plan = _find(plan_id)
    return _page(request, plan, get_object_or_404(HoldoutReading, plan=plan, pk=pk))


@login_required
@may("experiments.add_holdoutreading")
@require_POST
def read_holdout_now(request: HttpRequest, pk: int) -> HttpResponse:
    """Request a reading now; the plan decides what it may show."""
    try:
        holdout_readings.request_reading(plan=_find(pk), by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("experiments:holdout", pk=pk)


def reading_body(run: HoldoutReading) -> dict[str, Any]:
    """Context of `experiments/holdout_body.html` for a done reading: on its page, and in its download."""
    report = holdout_readings.read_report(run)
    if report is None:
        return {}
    if isinstance(report, Unreadable):
        return {"unreadable": report.sentence()}
    return {
        "report": report,
        "alarms": holdout_page.alarms(report),
        "lead": holdout_page.lead(report),
        "light": holdout_page.light(report),
        "planned": holdout_words.plan_sentences(report.asked),
        "earlier": report.earlier_readings,
        "parts": holdout_page.parts(report),
    }


def _usual() -> dict[str, str]:
    """Initial values of the form: the log's signup event, and a retention that is known for most users."""
    try:
        return {"signup_event": usual_start().replace("*", ""), "outcome": usual_retention()}
    except Refused:  # the store is unavailable: the form works without
        return {}


def _find(pk: int) -> HoldoutPlan:
    return get_object_or_404(HoldoutPlan.objects.select_related("holdout", "created_by"), pk=pk)


def _page(request: HttpRequest, plan: HoldoutPlan, run: HoldoutReading | None) -> HttpResponse:
    done = run if run is not None and run.status == HoldoutReading.Status.DONE else None
    newest = HoldoutReading.objects.filter(plan=plan).order_by("-pk").first()
    # A newer reading that waits, runs or failed is shown above the last successful one and never replaces it.
    above = newest if newest is not None and newest.status != HoldoutReading.Status.DONE else None
    if run is not None and done is None:
        above = run
    body = {} if done is None else reading_body(done)
    context = {
        "plan": plan,
        "run": done,
        "above": above,
        "may_read": above is None or not above.is_open,
        "ended": holdout_readings.has_ended(plan),
        "now_locked": _locked_since(newest, done),
        "planned": holdout_words.plan_sentences(holdout_readings.question_of(plan)),
        **({} if above is None else progress_of(above)),
        **body,
    }
    return render(request, "experiments/holdout.html", context)


def _locked_since(newest: HoldoutReading | None, shown: HoldoutReading | None) -> str:
    """When the outcome opens again, where a newer reading found it locked; else ""."""
    if newest is None or shown is None or newest.pk == shown.pk or newest.status != HoldoutReading.Status.DONE:
        return ""
    report = holdout_readings.read_report(newest)
    return holdout_words.state_sentence(report) if isinstance(report, HoldoutReport) else ""
