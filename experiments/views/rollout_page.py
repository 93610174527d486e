"""Rollout tab: form, current state and history; each move and the kill switch after a confirmation."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from experiments.forms.rollout_form import ReasonForm, ShipForm, StepFormSet, lines_of, rows_from
from experiments.models import Experiment, Rollout
from experiments.plan import audience
from experiments.serve.rollout import kill_switch, shipping
from experiments.serve.rollout.rollout_lifecycle import Move, allowed
from experiments.serve.rollout.shipping import SHIPPABLE, Asked, state_of
from experiments.standing import rollout_state
from experiments.standing.shipping_advice import advice, ship_winner
from experiments.views import frame
from runs.refusals import Refused
from runs.web import may, person

ASKED = (Move.HOLD, Move.GO_ON, Move.BACK)


@login_required
@require_safe
def rollout(request: HttpRequest, key: str) -> HttpResponse:
    """Show the tab."""
    return _page(request, frame.find(key))


@login_required
@may("experiments.change_experiment")
@require_POST
def ship(request: HttpRequest, key: str) -> HttpResponse:
    """Roll out a variant, or change a rollout's steps."""
    experiment = frame.find(key)
    stored = _stored(experiment)
    changes = Move.CHANGE in allowed(state_of(stored))
    form: Any = ReasonForm(request.POST) if changes else _ship_form(experiment, request.POST)
    lines: Any = _lines(experiment, request.POST)
    if form.is_valid() and lines.is_valid():
        rows, asked = rows_from(lines.cleaned_data), _asked(request, form.cleaned_data["why"])
        try:
            if changes:
                shipping.change(key=key, rows=rows, asked=asked)
            else:
                ship_winner(experiment=experiment, arm=form.cleaned_data["arm"], rows=rows, asked=asked)
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            done = (
                _("The steps are changed.") if changes else _("It is rolled out: services get it within two seconds.")
            )
            messages.success(request, done)
            return redirect("experiments:rollout", key=key)
    return _page(request, experiment, form, lines)


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, key: str, action: str) -> HttpResponse:
    """Confirm, then pause, resume or roll back a rollout."""
    experiment = frame.find(key)
    stored = _stored(experiment)
    if action not in list(ASKED) or stored is None:
        raise Http404
    what = Move(action)

    def do(asked: Asked) -> str:
        shipping.move_rollout(key=key, move=what, asked=asked)
        return str(rollout_state.DONE[what])

    possible = what in allowed(state_of(stored))
    sentences = rollout_state.consequences(what, stored) if possible else []
    title = str(rollout_state.LABELS[what])
    return _ask(request, experiment, title, sentences, do, final=what is Move.BACK)


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def kill(request: HttpRequest, key: str) -> HttpResponse:
    """Confirm, then give everybody the default: a running experiment is paused, a rollout stops."""
    experiment = frame.find(key)
    stops = kill_switch.what_it_stops(experiment)

    def do(asked: Asked) -> str:
        return str(rollout_state.KILLED[kill_switch.kill(key=key, asked=asked)])

    sentences = [] if stops is None else rollout_state.kill_sentences(stops, _stored(experiment))
    return _ask(request, experiment, str(rollout_state.LABELS[Move.KILL]), sentences, do, final=True)


def _ask(
    request: HttpRequest, experiment: Experiment, title: str, sentences: list[str], do: Any, *, final: bool
) -> HttpResponse:
    """A confirmation page: a GET request must never change anything."""
    refusal, why = "", request.POST.get("why", "")
    if request.method == "POST":
        try:
            messages.success(request, do(_asked(request, why)))
        except Refused as refused:
            refusal, sentences = refused.sentence, []
        else:
            experiment.refresh_from_db()
            tab = "experiments:rollout" if experiment.status in SHIPPABLE else "experiments:report"
            return redirect(tab, key=experiment.key)
    elif not sentences:
        refusal = _("Nothing is served that this could change.")
    context = {
        "experiment": experiment,
        "title": title,
        "sentences": sentences,
        "refusal": refusal,
        "why": why,
        "final": final,
    }
    return render(request, "experiments/rollout_do.html", context)


def _page(request: HttpRequest, experiment: Experiment, form: Any = None, lines: Any = None) -> HttpResponse:
    stored = _stored(experiment)
    moves = allowed(state_of(stored)) if experiment.status in SHIPPABLE else []
    is_on = stored is not None and stored.is_on
    context: dict[str, Any] = {
        "stored": stored if is_on else None,
        "state_light": rollout_state.LIGHTS[stored.state] if stored is not None else "",
        "shown": rollout_state.shown_rows(stored) if stored is not None and is_on else [],
        "advice": advice(experiment) if Move.SHIP in moves else None,
        "story": rollout_state.history(experiment),
        "ended": experiment.status in SHIPPABLE,
    }
    if request.user.has_perm("experiments.change_experiment"):
        context["buttons"] = [(one.value, rollout_state.LABELS[one], one is Move.BACK) for one in moves if one in ASKED]
        context["changes"] = Move.CHANGE in moves
        if Move.SHIP in moves or Move.CHANGE in moves:
            context["form"] = form or (ReasonForm() if Move.CHANGE in moves else _ship_form(experiment, None))
            context["lines"] = lines or _lines(experiment, None, stored if is_on else None)
    return frame.page(request, experiment, "rollout", context)


def _ship_form(experiment: Experiment, data: Any) -> ShipForm:
    arms = list(experiment.variants.order_by("position"))
    proved = advice(experiment).proved
    first = next((arm for arm in arms if arm.key in proved), arms[1] if len(arms) > 1 else arms[0])
    return ShipForm(data, arms=arms, proved=proved, initial={"arm": first.key})


def _lines(experiment: Experiment, data: Any, stored: Rollout | None = None) -> Any:
    names = {row.slug: str(row) for row in audience.choices()}
    lines = lines_of(stored)
    # Segments of the experiment and of the rollout stay in the list when they are no longer published.
    own = [row.segment_key for row in experiment.audience.all() if row.segment_key]
    kept = _stored(experiment)
    own += [row["segment"] for row in ([] if kept is None else kept.rows) if row["segment"]]
    choices = {slug: names.get(slug, slug) for slug in own} | names
    form_kwargs = {"segments": list(choices.items())}
    return StepFormSet(data, initial=None if data is not None else lines, form_kwargs=form_kwargs)


def _stored(experiment: Experiment) -> Rollout | None:
    return Rollout.objects.select_related("variant", "experiment").filter(experiment=experiment).first()


def _asked(request: HttpRequest, why: str) -> Asked:
    return Asked(by=person(request), why=why)
