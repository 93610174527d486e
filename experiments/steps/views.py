"""The pages of the steps. Each stores its part of the draft through a service and goes on to the next."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from aha.models import AhaMoment
from experiments.analyse import calibration
from experiments.models import Experiment
from experiments.plan import audience, drafts, moves
from experiments.plan.lifecycle import Action
from experiments.plan_page import plan_summary
from experiments.report.calibration_page import share_left
from experiments.standing import consequences, overview
from experiments.steps import arms_lines, judging_forms, panels, step_forms
from runs.key_from_name import key_from
from runs.refusals import Refused
from runs.web import person

type Desk = ModelAdmin[Any]
ORDER = tuple(plan_summary.STEPS)


def new(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The first step before there is a draft; `?moment=KEY` begins with what a moment says."""
    if not desk.has_add_permission(request):
        raise PermissionDenied
    moment = AhaMoment.objects.filter(key=request.GET.get("moment", "").replace("\x00", "")).first()
    initial: dict[str, Any] = {}
    if moment is not None:
        initial = {"name": drafts.name_for_test(moment), "hypothesis": drafts.hypothesis(moment), "moment": moment}
    form = step_forms.HypothesisForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            made = _create(form.cleaned_data, person(request))
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(
                request, _("{name} is a draft now. Nothing is shown to anybody until you start it.").format(name=made)
            )
            return _go(request, made, "hypothesis")
    return _page(request, desk, None, "hypothesis", {"form": form})


def step(request: HttpRequest, desk: Desk, pk: int, step: str) -> HttpResponse:
    """One step of a draft."""
    row = get_object_or_404(Experiment.objects.select_related("moment", "layer", "holdout"), pk=pk)
    if not desk.has_change_permission(request, row):
        raise PermissionDenied
    if row.status != Experiment.Status.DRAFT:
        messages.info(request, _("The experiment has started: its plan can only be amended, with a reason."))
        return HttpResponseRedirect(reverse("admin:experiments_experiment_change", args=[row.pk]))
    pages: dict[str, Callable[[HttpRequest, Desk, Experiment], HttpResponse]] = {
        "hypothesis": _hypothesis,
        "variants": _variants,
        "audience": _audience,
        "outcomes": _outcomes,
        "plan": _plan,
        "review": _review,
    }
    if step not in pages:
        raise Http404
    return pages[step](request, desk, row)


def eligible_now(request: HttpRequest, desk: Desk, pk: int) -> HttpResponse:
    """How many units the audience in the form has: a fragment that follows the form."""
    row = _draft(request, desk, pk)
    return TemplateResponse(request, "experiments/steps/eligible.html", panels.eligible_context(row, request.GET))


def curve(request: HttpRequest, desk: Desk, pk: int) -> HttpResponse:
    """Size and power of the plan in the form: a fragment that follows the form."""
    row = _draft(request, desk, pk)
    return TemplateResponse(request, "experiments/steps/curve.html", panels.curve_context(row, request.GET))


def _hypothesis(request: HttpRequest, desk: Desk, row: Experiment) -> HttpResponse:
    form = step_forms.HypothesisForm(request.POST or None, experiment=row)
    return _stored(request, desk, row, "hypothesis", form, lambda: form.values())


def _variants(request: HttpRequest, desk: Desk, row: Experiment) -> HttpResponse:
    form = step_forms.VariantsForm(request.POST or None, experiment=row)
    arms = panels.arms(row, request.POST or None, more="more" in request.POST)
    if "propose" in request.POST:
        arms = arms_lines.proposed(row, request.POST)
    if "more" in request.POST or "propose" in request.POST:
        return _page(request, desk, row, "variants", {"form": form, "arms": arms})
    return _stored(
        request, desk, row, "variants", form, lambda: {**form.values(), "variants": arms.values()}, arms=arms
    )


def _audience(request: HttpRequest, desk: Desk, row: Experiment) -> HttpResponse:
    form = step_forms.AudienceStepForm(request.POST or None, experiment=row)
    segments = panels.segments(row, request.POST or None)
    return _stored(
        request,
        desk,
        row,
        "audience",
        form,
        lambda: {**form.values(), "audience": panels.audience(row, form, segments)},
        segments=segments,
        rows=panels.with_segments(segments),
        seen=panels.eligible_context(row, request.POST or None),
    )


def _outcomes(request: HttpRequest, desk: Desk, row: Experiment) -> HttpResponse:
    form = judging_forms.OutcomesForm(request.POST or None, experiment=row)
    return _stored(
        request, desk, row, "outcomes", form, lambda: form.values(), suggestions=plan_summary.suggestions(row)
    )


def _plan(request: HttpRequest, desk: Desk, row: Experiment) -> HttpResponse:
    if "suggest" in request.POST:
        form = panels.suggested(row, request.POST)
        return _page(
            request,
            desk,
            row,
            "plan",
            {"form": form, "seen": panels.curve_context(row, form.data), "worth": _worth(row)},
        )
    form = judging_forms.PlanForm(request.POST or None, experiment=row)
    seen = {"later": True} if request.method != "POST" else panels.curve_context(row, request.POST)
    return _stored(request, desk, row, "plan", form, lambda: form.values(), seen=seen, worth=_worth(row))


def _worth(row: Experiment) -> str:
    """What promises like the moment's have been worth in earlier experiments; empty while nobody knows."""
    if row.moment is None:
        return ""

    return share_left(calibration.calibrate().pooled)


def _review(request: HttpRequest, desk: Desk, row: Experiment) -> HttpResponse:
    refusal = ""
    if request.method == "POST":
        try:
            moves.move(key=row.key, action=Action.START, by=person(request), why=request.POST.get("why", ""))
        except Refused as refused:
            refusal = refused.sentence
            row.refresh_from_db()
        else:
            messages.success(request, str(consequences.DONE[Action.START]).format(name=row.name))
            return HttpResponseRedirect(reverse("admin:experiments_experiment_change", args=[row.pk]))
    troubles = audience.troubles(row)
    return _page(
        request,
        desk,
        row,
        "review",
        {
            "parts": plan_summary.parts(row),
            "troubles": troubles,
            "refusal": "" if troubles else refusal,
            "sentences": consequences.sentences(Action.START, overview.standing(row)),
        },
    )


def _stored(
    request: HttpRequest,
    desk: Desk,
    row: Experiment,
    step: str,
    form: step_forms.StepForm,
    values: Callable[[], dict[str, Any]],
    **context: Any,
) -> HttpResponse:
    """Store a valid form and go on; else show it again with what is wrong."""
    others = [context[name] for name in ("arms", "segments") if name in context]
    if request.method == "POST" and form.is_valid() and all(one.is_valid() for one in others):
        try:
            drafts.update_draft(key=row.key, by=person(request), **values())
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            return _go(request, row, step)
    return _page(request, desk, row, step, {"form": form, **context})


def _create(given: dict[str, Any], by: User | None) -> Experiment:
    """A draft from the first step: with a moment, what its evidence says of size and effect is filled in."""
    moment, key = given["moment"], given["key"]
    if moment is not None:
        made = drafts.draft_from_moment(moment=moment, by=by, key=key or None)
        texts = {name: given[name] for name in ("name", "hypothesis") if given[name]}
        return drafts.update_draft(key=made.key, by=by, **texts)
    key = key or drafts.free_key(key_from(given["name"], "experiment"))
    return drafts.create_draft(
        key=key,
        by=by,
        name=given["name"],
        hypothesis=given["hypothesis"],
        variants=drafts.VARIANTS,
        value_type=Experiment.ValueType.BOOLEAN,
        default_value=False,
    )


def _go(request: HttpRequest, row: Experiment, step: str) -> HttpResponse:
    """To the next step, or to the review when that was asked for."""
    wanted = "review" if "review" in request.POST else ORDER[ORDER.index(step) + 1]
    return HttpResponseRedirect(reverse("admin:experiments_experiment_step", args=[row.pk, wanted]))


def _page(request: HttpRequest, desk: Desk, row: Experiment | None, step: str, context: dict[str, Any]) -> HttpResponse:
    place = ORDER.index(step)
    troubled = {one.step for one in audience.troubles(row)} if row is not None else set()
    context = {
        **desk.admin_site.each_context(request),
        "opts": desk.opts,
        "experiment": row,
        "step": step,
        "title": _("New experiment") if row is None else row.name,
        "step_title": plan_summary.STEPS[step],
        "steps": [
            {
                "slug": slug,
                "title": title,
                "number": at + 1,
                "here": at == place,
                "done": row is not None and slug not in (*troubled, "review"),
                "troubled": row is not None and slug in troubled,
            }
            for at, (slug, title) in enumerate(plan_summary.STEPS.items())
        ],
        "before": ORDER[place - 1] if place and row is not None else None,
        **context,
    }
    return TemplateResponse(request, f"experiments/steps/{step}.html", context)


def _draft(request: HttpRequest, desk: Desk, pk: int) -> Experiment:
    row = get_object_or_404(Experiment.objects.select_related("moment", "layer", "holdout"), pk=pk)
    if not desk.has_change_permission(request, row):
        raise PermissionDenied
    return row
