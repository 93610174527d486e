"""Actions (start, pause, stop …) after a confirmation page; analyses are requested here, too."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from experiments.analyse import closing_cost
from experiments.analyse.analyses import request_analysis
from experiments.models import Experiment
from experiments.plan import audience, moves
from experiments.plan.lifecycle import Action, Status
from experiments.standing import consequences, overview
from experiments.views import frame
from runs.refusals import Refused
from runs.web import may, person

MOST = 50  # experiments moved by one page


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def do(request: HttpRequest, key: str, action: str) -> HttpResponse:
    """Confirm, then apply an action to one experiment."""
    return _do(request, action, [frame.find(key)])


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def do_several(request: HttpRequest, action: str) -> HttpResponse:
    """The same for several experiments, as in the admin's list: `?key=A&key=B`."""
    keys = request.GET.getlist("key")[:MOST]
    rows = Experiment.objects.filter(key__in=[key for key in keys if "\x00" not in key]).order_by("name")
    found = list(rows.select_related("moment").defer("moment__evidence").prefetch_related("variants", "audience"))
    if not found:
        raise Http404
    return _do(request, action, found)


def _do(request: HttpRequest, action: str, rows: list[Experiment]) -> HttpResponse:
    if action not in list(Action):
        raise Http404
    what, why = Action(action), request.POST.get("why", "")
    refusals: dict[str, str] = {}
    if request.method == "POST":
        refusals = _move(request, what, rows, why)
        if not refusals:
            return redirect("experiments:report", key=rows[0].key) if len(rows) == 1 else redirect("experiments:list")
    asked = [_asked(what, row, refusals.get(row.key, "")) for row in rows]
    context = {
        "action": what.value,
        "asked": asked,
        "single": rows[0] if len(rows) == 1 else None,
        "title": consequences.ACTIONS[what],
        "final": what in consequences.FINAL,
        "why": why,
        "possible": any(not one["troubles"] and not one["refusal"] for one in asked),
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
    cost = closing_cost.cost(row) if what in (Action.CLOSE_ENROLMENT, Action.STOP) else None
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
    experiment = frame.find(key)
    if request.method == "POST":
        return _ask(request, experiment, peek=True)
    context = {"experiment": experiment, **frame.actions(request, experiment, None)}
    return render(request, "experiments/peek.html", context)


def _ask(request: HttpRequest, experiment: Experiment, *, peek: bool) -> HttpResponse:
    try:
        request_analysis(experiment=experiment, by=person(request), peek=peek)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("experiments:report", key=experiment.key)
