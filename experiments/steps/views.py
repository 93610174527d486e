"""Views of the steps. Each stores its part of the draft through a service and leads to the next step."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.forms import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from experiments.analyse import calibration
from experiments.models import Experiment
from experiments.plan import drafts
from experiments.plan.planned_power import unplannable
from experiments.plan.size import enrolled_share, sized_plan
from experiments.plan.stored import plan_of
from experiments.plan_page import plan_summary, power_curve
from experiments.plan_page.known_numbers import known_of
from experiments.report.across.calibration_page import share_left
from experiments.standing import overview
from experiments.steps import arms_lines, frame, judging_forms, panels, promised_words, step_forms, what_follows
from experiments.steps.needs import needs_of
from experiments.steps.number_fields import effect_as_typed
from experiments.steps.review_step import review
from experiments.steps.trial import FOLLOWED
from experiments.steps.what_follows import arms_outlook, outlook
from runs.refusals import Refused
from runs.web import may, person
from stats.results import computable

MOST_CHANGES = 200  # of one button: every field of the largest form


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest, key: str, step: str) -> HttpResponse:
    """One step of a draft."""
    row = draft_or_404(key)
    if row.status != Experiment.Status.DRAFT:
        messages.info(request, _("The experiment has started: its plan can only be amended, with a reason."))
        return HttpResponseRedirect(reverse("experiments:report", args=[row.key]))
    pages: dict[str, Callable[[HttpRequest, Experiment], HttpResponse]] = {
        "hypothesis": _hypothesis,
        "variants": _variants,
        "audience": _audience,
        "outcomes": _outcomes,
        "plan": _plan,
        "review": review,
    }
    if step not in pages:
        raise Http404
    return pages[step](request, row)


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def plan_outlook(request: HttpRequest, key: str, step: str) -> HttpResponse:
    """Consequences of the plan in the form: a fragment that reloads as the form changes; stores nothing."""
    row = draft_or_404(key)
    if step not in FOLLOWED:
        raise Http404
    sent = request.POST if request.method == "POST" else request.GET  # POST: an SQL metric may exceed a URL's length
    data = sent if "step" in sent else None
    if "arms" in request.GET:
        return render(request, "experiments/steps/arms_outlook.html", arms_outlook(row, data))
    return render(request, "experiments/steps/outlook.html", {"step": step, **outlook(row, step, data)})


def draft_or_404(key: str) -> Experiment:
    """The experiment with the related rows that every step reads."""
    rows = Experiment.objects.select_related("moment", "layer", "holdout").prefetch_related("variants", "audience")
    return get_object_or_404(rows, key=key)


def mended(request: HttpRequest) -> QueryDict | None:
    """The submitted data with a mend button's changes; None for a GET request."""
    if request.method != "POST":
        return None
    data = request.POST.copy()
    try:
        changes = parse_qsl(data.get("mend", ""), keep_blank_values=True, max_num_fields=MOST_CHANGES)
    except ValueError:
        raise PermissionDenied from None
    for name, value in changes:
        if name != "mend":
            data[name] = value
    return data


def _hypothesis(request: HttpRequest, row: Experiment) -> HttpResponse:
    form = step_forms.HypothesisForm(mended(request), experiment=row)
    return _stored(request, row, "hypothesis", form, lambda: form.values(), promise=promised_words.promise(row.moment))


def _variants(request: HttpRequest, row: Experiment) -> HttpResponse:
    data = mended(request)
    form = step_forms.VariantsForm(data, experiment=row)
    arms = panels.arms(row, data, more="more" in request.POST)
    if "propose" in request.POST:
        arms = arms_lines.proposed(row, request.POST)
    if "more" in request.POST or "propose" in request.POST:
        return frame.page(request, row, "variants", {"form": form, "arms": arms, "unsaved": True})
    return _stored(request, row, "variants", form, lambda: {**form.values(), "variants": arms.values()}, arms=arms)


def _audience(request: HttpRequest, row: Experiment) -> HttpResponse:
    data = mended(request)
    form = step_forms.AudienceStepForm(data, experiment=row)
    segments = panels.segments(row, data)
    return _stored(
        request,
        row,
        "audience",
        form,
        lambda: {**form.values(), "audience": panels.audience(row, form, segments)},
        segments=segments,
        rows=panels.with_segments(segments),
    )


def _outcomes(request: HttpRequest, row: Experiment) -> HttpResponse:
    form = judging_forms.OutcomesForm(mended(request), experiment=row)
    return _stored(request, row, "outcomes", form, lambda: form.values(), suggestions=plan_summary.suggestions(row))


def _plan(request: HttpRequest, row: Experiment) -> HttpResponse:
    data = mended(request)
    known = power_curve.remembered_inflow(row)
    context = {
        "worth": _worth(row),
        "promise": promised_words.promise(row.moment),
        "end_to_check": overview.end_to_check(row),
        "unknown": known is not None and (known.per_day <= 0 or unplannable(known) is not None),
        "offered": known is None or unplannable(known) is None,
    }
    if data is not None and "suggest" in data:
        form = _suggested(row, data)
        return frame.page(
            request, row, "plan", {"form": form, "unsaved": form.is_valid(), **context, **_result(row, form)}
        )
    if data is not None and data.pop("take", ""):
        form = _suggested(row, data)
    else:
        form = judging_forms.PlanForm(data, experiment=row)
    return _stored(request, row, "plan", form, lambda: form.values(), **context, **_result(row, form))


def _result(row: Experiment, form: judging_forms.PlanForm) -> dict[str, Any]:
    """The day of the result for the planned end in the form."""
    end = row.planned_end
    if form.is_bound:
        end = form.cleaned_data.get("planned_end") if form.is_valid() else None
    return {"result_said": what_follows.result_said(end, row.primary_metrics)}


def _suggested(row: Experiment, data: QueryDict) -> judging_forms.PlanForm:
    """The form with suggested size, end and effect filled in; nothing is stored.

    If there is no suggestion, the field to fill in first shows an error.
    """
    form = judging_forms.PlanForm(data, experiment=row)
    if not form.is_valid():
        return form
    for name, value in form.values().items():
        setattr(row, name, value)  # in memory only
    if row.planned_effect is not None or row.smallest_effect is not None:
        row.planned_units = None
    try:
        plan = plan_of(row)
        found = sized_plan(plan, power_curve.recent_inflow(row), enrolled_share(plan))
    except Refused as refusal:
        form.add_error(None, ValidationError(refusal.sentence))
        return form
    filled = data.copy()
    if computable(found.planned_units):
        filled["planned_units"] = str(found.planned_units)
    if computable(found.planned_end):
        filled["planned_end"] = found.planned_end.isoformat()
    if row.smallest_effect is None and computable(found.smallest_effect):
        filled["smallest_effect"] = effect_as_typed(found.smallest_effect, share=form.is_share) or ""
    form = judging_forms.PlanForm(filled, experiment=row)
    missing = found.planned_end if computable(found.planned_units) else found.planned_units
    if not computable(missing):
        form.ask_first(missing)
    return form


def _worth(row: Experiment) -> str:
    """Share of their promises that moments kept in earlier experiments; empty while unknown."""
    if row.moment is None:
        return ""

    return share_left(calibration.calibrate().pooled)


def _stored(
    request: HttpRequest,
    row: Experiment,
    step: str,
    form: step_forms.StepForm,
    values: Callable[[], dict[str, Any]],
    **context: Any,
) -> HttpResponse:
    """Store a valid form and continue; else show it again with its errors.

    If the stored step has new problems, the page stays and shows them beside the fields; submitting again continues.
    This doesn't wait for the warehouse: the right column has queried it while the form was filled in.
    """
    others = [context[name] for name in ("arms", "segments") if name in context]
    if request.method == "POST" and form.is_valid() and all(one.is_valid() for one in others):
        try:
            drafts.update_draft(key=row.key, by=person(request), why=f"{drafts.STEP_SAVED}{step}", **values())
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            return go(request, row.key, step)
    return frame.page(request, row, step, {"form": form, **context}, known_of(row, ask=False))


def go(request: HttpRequest, key: str, step: str) -> HttpResponse:
    """Redirect to the next step, to the review if requested, or back to this step where it has new problems."""
    order = frame.ORDER
    wanted = "review" if "review" in request.POST else order[order.index(step) + 1]
    if "mend" in request.POST:
        wanted = step
    elif "review" not in request.POST:
        row = draft_or_404(key)
        codes = {one.code for one in needs_of(row, known_of(row, ask=False)) if one.step == step}
        if codes - set(request.POST.get("seen", "").split(",")):
            wanted = step
    return HttpResponseRedirect(reverse("experiments:step", args=[key, wanted]))
