"""Start, pause, stop, analyse; amend the plan and raise the coverage, each after a question or with a reason."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from experiments.analyse import analyses
from experiments.analyse.analyses import request_analysis
from experiments.forms import DraftForm, PercentField, plainly
from experiments.models import AudienceRow, Experiment
from experiments.pages import tabs
from experiments.plan import amend as amending
from experiments.plan import audience, moves
from experiments.plan.lifecycle import Action, Status
from experiments.plan.record import AMENDABLE
from experiments.status import consequences, overview
from runs.refusals import Refused
from runs.web import may, person

# Actions (start, pause, stop …) after a confirmation page; analyses are requested here, too.

MOST = 50  # experiments moved by one page


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def do(request: HttpRequest, key: str, action: str) -> HttpResponse:
    """Confirm, then apply an action to one experiment."""
    return _do(request, action, [tabs.find(key)])


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def do_several(request: HttpRequest, action: str) -> HttpResponse:
    """The same for several experiments, as in the admin's list: `?key=A&key=B`."""
    keys = request.GET.getlist("key")[:MOST]
    rows = Experiment.objects.filter(key__in=[key for key in keys if "\x00" not in key]).order_by("name")
    experiments = list(rows.select_related("moment").defer("moment__evidence").prefetch_related("variants", "audience"))
    if not experiments:
        raise Http404
    return _do(request, action, experiments)


def _do(request: HttpRequest, action: str, rows: list[Experiment]) -> HttpResponse:
    if action not in list(Action):
        raise Http404
    what, why = Action(action), request.POST.get("why", "")
    refusals: dict[str, str] = {}
    if request.method == "POST":
        refusals = _move(request, what, rows, why)
        if not refusals:
            return redirect("experiments:report", key=rows[0].key) if len(rows) == 1 else redirect("experiments:list")
    prompts = [_asked(what, row, refusals.get(row.key, "")) for row in rows]
    context = {
        "action": what.value,
        "asked": prompts,
        "single": rows[0] if len(rows) == 1 else None,
        "title": consequences.ACTIONS[what],
        "final": what in consequences.FINAL,
        "why": why,
        "possible": any(not prompt["troubles"] and not prompt["refusal"] for prompt in prompts),
    }
    return render(request, "experiments/do.html", context)


def _move(request: HttpRequest, what: Action, rows: list[Experiment], why: str) -> dict[str, str]:
    """Move each experiment separately; returns the sentences of those refused."""
    refusals = {}
    for row in rows:
        try:
            moves.move(key=row.key, action=what, by=person(request), why=why)
        except Refused as refusal:
            refusals[row.key] = refusal.sentence
            row.refresh_from_db()
        else:
            messages.success(request, str(consequences.DONE[what]).format(name=row.title))
    return refusals


def _asked(what: Action, row: Experiment, refusal: str) -> dict[str, Any]:
    troubles = audience.troubles(row) if what is Action.START and row.status == Status.DRAFT else []
    if not troubles and not refusal:
        refusal = moves.refusal(row, what)
    cost = analyses.cost(row) if what in (Action.CLOSE_ENROLMENT, Action.STOP) else None
    return {
        "row": row,
        "question": consequences.question(what, row.title),
        "sentences": consequences.sentences(what, overview.standing(row), cost),
        "cost": consequences.early_cost(cost),
        "troubles": troubles,
        "refusal": "" if troubles else refusal,
    }


# ── Asking for an analysis ────────────────────────────────────────────────────
@login_required
@may("experiments.add_analysis")
@require_POST
def analyse(request: HttpRequest, key: str) -> HttpResponse:
    """Request an analysis now."""
    return _ask(request, get_object_or_404(Experiment, key=key), peek=False)


@login_required
@may("experiments.add_analysis")
@require_http_methods(["GET", "HEAD", "POST"])
def peek(request: HttpRequest, key: str) -> HttpResponse:
    """Explain what a look before the planned end costs; request it after confirmation."""
    experiment = tabs.find(key)
    if request.method == "POST":
        return _ask(request, experiment, peek=True)
    context = {"experiment": experiment, **tabs.actions(request, experiment, None)}
    return render(request, "experiments/peek.html", context)


def _ask(request: HttpRequest, experiment: Experiment, *, peek: bool) -> HttpResponse:
    try:
        request_analysis(experiment=experiment, by=person(request), peek=peek)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("experiments:report", key=experiment.key)


# Forms to change a started plan, with a reason: an amendment, and a larger coverage.

WHY_CHARS = 2_000


class AmendForm(DraftForm):
    """Amendable fields of a started plan, and a reason."""

    why = forms.CharField(label=_("Why"), widget=forms.Textarea(attrs={"rows": 2}), max_length=WHY_CHARS)

    class Meta(DraftForm.Meta):
        fields = AMENDABLE

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields = {name: self.fields[name] for name in ("why", *AMENDABLE)}
        plainly(self.fields)

    def changes(self) -> dict[str, Any]:
        """Only the changed values."""
        given = {name: self.cleaned_data[name] for name in self.changed_data if name in AMENDABLE}
        return {name: value for name, value in given.items() if value != self.initial.get(name)}

    def _post_clean(self) -> None:
        """Don't change the instance: the service writes it and validates."""


class CoverageForm(forms.Form):
    """A larger coverage for one audience row."""

    position = forms.TypedChoiceField(label=_("Row of the audience"), coerce=int)
    coverage = PercentField(label=_("coverage (%)"))
    why = forms.CharField(label=_("Why"), widget=forms.Textarea(attrs={"rows": 2}), max_length=WHY_CHARS)

    def __init__(self, *args: Any, rows: Sequence[AudienceRow], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["position"]
        field.choices = [
            (row.position, f"{row.segment_key or _('everyone')} · {row.coverage / 100:g} %") for row in rows
        ]
        plainly(self.fields)


# Change a running experiment: amend the plan, raise the coverage. Changes are logged with their reason.


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def amend(request: HttpRequest, key: str) -> HttpResponse:
    """Amend the plan, with a reason."""
    experiment = tabs.find(key)
    form = AmendForm(request.POST or None, instance=experiment)

    def done(values: dict[str, Any]) -> None:
        amending.amend(key=key, why=values["why"], by=person(request), **form.changes())

    about = gettext("The change is logged with your reason, and stands on the report.")
    return _page(request, experiment, form, done, gettext("Amend the plan"), about)


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def coverage(request: HttpRequest, key: str) -> HttpResponse:
    """Raise the coverage of one row of the audience."""
    experiment = tabs.find(key)
    form = CoverageForm(request.POST or None, rows=list(experiment.audience.order_by("position")))

    def done(values: dict[str, Any]) -> None:
        amending.raise_coverage(key=key, by=person(request), **values)

    about = gettext(
        "More users of one row are enrolled. Nobody who is in changes group, and it can't be lowered again."
    )
    return _page(request, experiment, form, done, gettext("Raise coverage"), about)


def _page(
    request: HttpRequest,
    experiment: Experiment,
    form: forms.BaseForm,
    do: Callable[[dict[str, Any]], Any],
    title: str,
    about: str,
) -> HttpResponse:
    """A form that confirms the change: a GET request must never change anything."""
    if request.method == "POST" and form.is_valid():
        try:
            do(form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, gettext("%(what)s: done.") % {"what": title})
            return redirect("experiments:history", key=experiment.key)
    context = {"experiment": experiment, "form": form, "title": title, "about": about}
    return render(request, "experiments/change.html", context)
