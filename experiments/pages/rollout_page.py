"""Forms to ship a variant: which one, to whom, and which share from when. One line is one step of one row."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import formset_factory
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from experiments.models import Experiment, Rollout, Variant
from experiments.pages import tabs
from experiments.plan import audience
from experiments.serve import shipping
from experiments.serve.config import rows_of
from experiments.serve.rollout_lifecycle import Move, allowed
from experiments.serve.shipping import SHIPPABLE, Asked, state_of
from experiments.status import rollout_moves, rollout_state
from experiments.status.rollout_moves import advice, ship_winner
from runs.refusals import Refused
from runs.web import may, person

LINES = 3  # additional empty lines
MOST_LINES = 40
PER_CENT = 100


class ShipForm(forms.Form):
    """The variant to ship, and a reason."""

    arm = forms.ChoiceField(label=_("variant"))
    why = forms.CharField(
        label=_("reason"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("It stands in the history. Needed where the decision table does not say to ship the group."),
    )

    def __init__(self, *args: Any, arms: Sequence[Variant], proved: Collection[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["arm"]
        field.choices = [(arm.key, arm.title) for arm in arms]
        if not proved:
            self.fields["why"].help_text = _(
                "Needed: the decision table does not say to ship it. It stands in the history."
            )
        self.fields["why"].is_needed = any(arm.key not in proved for arm in arms)  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    """Reason for changing the steps."""

    why = forms.CharField(
        label=_("reason"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("It stands in the history."),
    )


class RolloutStepForm(forms.Form):
    """One step: a share of a segment, or of everyone, from a moment on."""

    segment = forms.ChoiceField(label=_("who gets it"), required=False)
    share = forms.DecimalField(
        label=_("share in percent"),
        required=False,
        min_value=Decimal("0.01"),
        max_value=Decimal(PER_CENT),
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    at = forms.DateTimeField(
        label=_("from"),
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, *args: Any, segments: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["segment"]
        field.choices = [("", _("everyone")), *segments]

    def clean(self) -> dict[str, Any]:
        """Require a share in a line with a moment or a segment."""
        values = super().clean() or {}
        if values.get("share") is None and "share" not in self.errors and (values.get("at") or values.get("segment")):
            self.add_error("share", _("Give the share of this step."))
        return values


StepFormSet = formset_factory(RolloutStepForm, extra=LINES, max_num=MOST_LINES, validate_max=True)


def lines_of(stored: Rollout | None) -> list[dict[str, Any]]:
    """The steps of a rollout as form lines; without a rollout 10% of everyone from now on."""
    if stored is None:
        return [{"segment": "", "share": Decimal(10)}]
    return [
        {"segment": row.segment or "", "share": Decimal(step.share) / PER_CENT, "at": step.at}
        for row in rows_of(stored.rows)
        for step in row.steps
    ]


def rows_from(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Form lines as rows: each segment once, in the order of its first line, everyone last. Ignores empty lines."""
    rows: dict[str | None, list[dict[str, Any]]] = {}
    for line in lines:
        if line.get("share") is not None:
            step = {"share": int(line["share"] * PER_CENT), "at": line.get("at")}
            rows.setdefault(line.get("segment") or None, []).append(step)
    all_rows = [{"segment": segment, "steps": steps} for segment, steps in rows.items()]
    return sorted(all_rows, key=lambda row: row["segment"] is None)


# Rollout tab: form, current state and history; each move and the kill switch after a confirmation.

ASKED = (Move.HOLD, Move.GO_ON, Move.BACK)


@login_required
@require_safe
def rollout(request: HttpRequest, key: str) -> HttpResponse:
    """Show the tab."""
    return _page(request, tabs.find(key))


@login_required
@may("experiments.change_experiment")
@require_POST
def ship(request: HttpRequest, key: str) -> HttpResponse:
    """Roll out a variant, or change a rollout's steps."""
    experiment = tabs.find(key)
    stored = _stored(experiment)
    changes = Move.CHANGE in allowed(state_of(stored))
    form: Any = ReasonForm(request.POST) if changes else _ship_form(experiment, request.POST)
    lines: Any = _lines(experiment, request.POST)
    if form.is_valid() and lines.is_valid():
        rows, who = rows_from(lines.cleaned_data), _asked(request, form.cleaned_data["why"])
        try:
            if changes:
                shipping.change(key=key, rows=rows, asked=who)
            else:
                ship_winner(experiment=experiment, arm=form.cleaned_data["arm"], rows=rows, asked=who)
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            done = (
                gettext("The steps are changed.")
                if changes
                else gettext("It is rolled out: services get it within two seconds.")
            )
            messages.success(request, done)
            return redirect("experiments:rollout", key=key)
    return _page(request, experiment, form, lines)


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, key: str, action: str) -> HttpResponse:
    """Confirm, then pause, resume or roll back a rollout."""
    experiment = tabs.find(key)
    stored = _stored(experiment)
    if action not in list(ASKED) or stored is None:
        raise Http404
    what = Move(action)

    def do(requester: Asked) -> str:
        shipping.move_rollout(key=key, move=what, asked=requester)
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
    experiment = tabs.find(key)
    stops = rollout_moves.what_it_stops(experiment)

    def do(requester: Asked) -> str:
        return str(rollout_state.KILLED[rollout_moves.kill(key=key, asked=requester)])

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
        refusal = gettext("Nothing is served that this could change.")
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
        context["buttons"] = [
            (verb.value, rollout_state.LABELS[verb], verb is Move.BACK) for verb in moves if verb in ASKED
        ]
        context["changes"] = Move.CHANGE in moves
        if Move.SHIP in moves or Move.CHANGE in moves:
            context["form"] = form or (ReasonForm() if Move.CHANGE in moves else _ship_form(experiment, None))
            context["lines"] = lines or _lines(experiment, None, stored if is_on else None)
    return tabs.page(request, experiment, "rollout", context)


def _ship_form(experiment: Experiment, data: Any) -> ShipForm:
    arms = list(experiment.variants.order_by("position"))
    proved = advice(experiment).proved
    recommended = [arm for arm in arms if arm.key in proved]
    if experiment.is_lab:
        recommended.reverse()  # all proved nudges together: its sets are in the order of their size
    first = [*recommended, *arms[1:], *arms][0]
    return ShipForm(data, arms=arms, proved=proved, initial={"arm": first.key})


def _lines(experiment: Experiment, data: Any, stored: Rollout | None = None) -> Any:
    names = {row.slug: str(row) for row in audience.choices()}
    lines = lines_of(stored)
    # Segments of the experiment and of the rollout stay in the list when they are no longer published.
    own = [row.segment_key for row in experiment.audience.all() if row.segment_key]
    current = _stored(experiment)
    own += [row["segment"] for row in ([] if current is None else current.rows) if row["segment"]]
    choices = {slug: names.get(slug, slug) for slug in own} | names
    form_kwargs = {"segments": list(choices.items())}
    return StepFormSet(data, initial=None if data is not None else lines, form_kwargs=form_kwargs)


def _stored(experiment: Experiment) -> Rollout | None:
    return Rollout.objects.select_related("variant", "experiment").filter(experiment=experiment).first()


def _asked(request: HttpRequest, why: str) -> Asked:
    return Asked(by=person(request), why=why)
