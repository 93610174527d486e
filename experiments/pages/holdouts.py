"""Form for the plan of a holdout report, which can't be changed after saving."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from aha.questions.objections import usual_retention, usual_start
from events.pickers.fields import EventField, MetricField
from events.pickers.quick_fixes import mended
from events.pickers.rows import RowForm, RowsField, edited, is_edit
from experiments.analyse.across import holdout_readings
from experiments.analyse.across.holdout_result import HOLDOUT, HoldoutReport
from experiments.models import Holdout, HoldoutPlan, HoldoutReading, choices_of
from experiments.report import holdout_page
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import may, person, shown_with_newer

DATE = forms.DateInput({"type": "date"})


class ReadingRow(RowForm):
    """One earlier reading: its day."""

    unique = "day"
    day = forms.DateField(
        label=_("Day"), widget=DATE, error_messages={"invalid": _("Write a date such as 2027-01-15.")}
    )

    def entry(self) -> Any:
        """The day."""
        return self.cleaned_data["day"]


class HoldoutPlanForm(forms.Form):
    """Fields of the plan, frozen when saved."""

    holdout = forms.ModelChoiceField(Holdout.objects.all(), label=_("Holdout"), empty_label=None, to_field_name="key")
    since = forms.DateField(
        label=_("Shipped since"), widget=DATE, help_text=_("What was shipped from this day on is judged together.")
    )
    population = forms.ChoiceField(
        label=_("Who counts"),
        choices=HoldoutPlan.Population.choices,
        help_text=_("The same rule for both sides, and one that nothing shipped can change."),
    )
    signup_event = EventField(
        label=_("Signup event"), required=False, help_text=_("Only where those count who signed up since then.")
    )
    outcome = MetricField(label=_("Outcome"), max_length=400)  # part of a unique index, whose size PostgreSQL limits
    day_mode = forms.ChoiceField(label=_("Days are"), choices=choices_of("day_mode"))
    method = forms.ChoiceField(
        label=_("When it is read"),
        choices=HoldoutPlan.Method.choices,
        help_text=_("The outcome stays locked on all other days."),
    )
    end = forms.DateField(label=_("Last reading"), widget=DATE)
    earlier = RowsField(
        ReadingRow,
        add=_("Add a reading"),
        label=_("Earlier readings"),
        help_text=_("Only for planned readings: the days before the last one on which it is read."),
    )
    planned_units = forms.IntegerField(
        label=_("Users expected at the end"),
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text=_("Of both sides, with a known outcome. Only where it is read more than once."),
    )

    def clean_earlier(self) -> list[date]:
        """Dates in their order."""
        return sorted(self.cleaned_data["earlier"])

    def clean(self) -> dict[str, Any]:
        """Ignore the signup event where the population isn't defined by signup."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("population") not in (None, HoldoutPlan.Population.SIGNUP):
            self.errors.pop("signup_event", None)
            data["signup_event"] = ""
        return data

    def values(self) -> dict[str, Any]:
        """Arguments of `holdout_readings.plan_holdout`."""
        given = dict(self.cleaned_data)
        end, earlier = given.pop("end"), given.pop("earlier")
        return {**given, "readings": [*earlier, end]}

    def refuse(self, refusal: Refused) -> None:
        """Show the refusal at its field."""
        field = {"readings": "earlier" if self.cleaned_data.get("earlier") else "end"}.get(refusal.at, refusal.at)
        self.add_error(field if field in self.fields else None, refusal.sentence)


# Pages of holdout reports: the plans, a new one, one with its readings.

MOST = 200  # plans of the list, the newest


@login_required
@require_safe
def holdout_list(request: HttpRequest) -> HttpResponse:
    """All plans, the newest first, with their progress."""
    plans = HoldoutPlan.objects.select_related("holdout", "created_by")[:MOST]
    rows = []
    for plan in plans:
        run = HoldoutReading.objects.light().filter(plan=plan).order_by("-pk").first()
        question = holdout_readings.question_of(plan)
        rows.append({"plan": plan, "run": run, "asked": question, "planned": holdout_page.readings_sentence(question)})
    return render(request, "experiments/holdouts.html", {"rows": rows, "any_holdout": Holdout.objects.exists()})


@login_required
@may("experiments.add_holdoutplan")
@require_http_methods(["GET", "HEAD", "POST"])
def new_holdout_plan(request: HttpRequest) -> HttpResponse:
    """Form for a new plan."""
    form = HoldoutPlanForm(initial=_usual())
    if request.method == "POST" and "mend" in request.POST:
        form = HoldoutPlanForm(mended(request.POST))
    elif is_edit(request.POST):
        form = HoldoutPlanForm(edited(request.POST.copy()))
    elif request.method == "POST":
        form = HoldoutPlanForm(request.POST)
        if form.is_valid():
            try:
                plan = holdout_readings.plan_holdout(by=person(request), **form.values())
            except Refused as refusal:
                form.refuse(refusal)
            else:
                messages.success(request, gettext("The plan is saved, and can't be changed any more."))
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
    report = HOLDOUT.of(run)
    if report is None:
        return {}
    if isinstance(report, Unreadable):
        return {"unreadable": report.sentence()}
    return {
        "report": report,
        "alarms": holdout_page.alarms(report),
        "lead": holdout_page.lead(report),
        "light": holdout_page.light(report),
        "planned": holdout_page.plan_sentences(report.asked),
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
    newest = HoldoutReading.objects.filter(plan=plan).order_by("-pk").first()
    context = {
        "plan": plan,
        "ended": holdout_readings.has_ended(plan),
        "planned": holdout_page.plan_sentences(holdout_readings.question_of(plan)),
        **shown_with_newer(run, newest),
    }
    if (done := context["run"]) is not None:
        context |= {"now_locked": _locked_since(newest, done), **reading_body(done)}
    return render(request, "experiments/holdout.html", context)


def _locked_since(newest: HoldoutReading | None, shown: HoldoutReading) -> str:
    """When the outcome opens again, where a newer reading found it locked; else ""."""
    if newest is None or newest.pk == shown.pk or newest.status != HoldoutReading.Status.DONE:
        return ""
    report = HOLDOUT.of(newest)
    return holdout_page.state_sentence(report) if isinstance(report, HoldoutReport) else ""
