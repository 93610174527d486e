"""The pages of the steps: each stores its part of the draft through a service and goes on to the next."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.forms import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from aha import made_names
from aha.models import AhaMoment
from aha.moments.claims import promised
from events.pickers.rows import edited, is_edit
from experiments.analyse.across import calibration
from experiments.models import Experiment, PlanTemplate
from experiments.pages import judging_forms, step_forms, step_preview
from experiments.pages.number_fields import can_be_read, effect_as_typed
from experiments.pages.plan_rows import other_changes
from experiments.pages.quick_fixes import Need, QuickFix, needs_of
from experiments.pages.step_preview import FOLLOWED, arms_outlook, outlook
from experiments.plan import drafts, moves, others
from experiments.plan.audience import choices
from experiments.plan.drafts import HOPED_FOR, LEAST_EFFECT, SHARE_OF_PROMISE, STEP_SAVED, draft_from_template
from experiments.plan.fields import ExperimentKind, ValueType
from experiments.plan.lifecycle import Action
from experiments.plan.planned_power import unplannable
from experiments.plan.record import LIN
from experiments.plan.size import enrolled_share, sized_plan
from experiments.plan.stored import plan_of
from experiments.plan.templates import kind_of
from experiments.plan_page import known_numbers, plan_summary
from experiments.plan_page.document import document_context
from experiments.plan_page.known_numbers import Known, known_of
from experiments.plan_page.plan_summary import STEPS, step_titles
from experiments.plan_page.review_panel import panel
from experiments.report.calibration_page import share_left
from experiments.status import overview
from reporting.numbers import effect_text
from runs.models import key_from
from runs.refusals import Refused
from runs.web import may, person
from stats.results import computable

# Frame of all step pages: navigation, state of each step, and notes at the fields.

ORDER = tuple(STEPS)
# An unsaved step offers a first draft for these empty fields; once saved, they are reported as problems.
EMPTY = frozenset({"no_hypothesis", "no_nudge", "no_smallest_effect"})


def page(
    request: HttpRequest,
    row: Experiment | None,
    step: str,
    context: dict[str, Any],
    known: Known | None = None,
    *,
    touched: frozenset[str] | None = None,
) -> HttpResponse:
    """The page of one step. Problems are shown beside their fields once the step was saved."""
    done = saved_steps(row) if touched is None else touched
    needs = [] if row is None or known is None else needs_of(row, known)
    here = [need for need in needs if need.step == step and step in done] if step != "review" else []
    forms_here = [context.get(name) for name in ("form", "arms", "segments")]
    rest = _noted([form for form in forms_here if form is not None], here)
    if step not in done:
        _offer(context.get("form"), [need for need in needs if need.step == step and need.code in EMPTY])
    place = ORDER.index(step)
    titles = step_titles(lab=context.get("lab", False) if row is None else row.is_lab)
    full = {
        "experiment": row,
        "step": step,
        "step_title": titles[step],
        "steps": [_state(slug, titles[slug], at, place, done, needs) for at, slug in enumerate(ORDER)],
        "before": ORDER[place - 1] if place and row is not None else None,
        "needs": rest,
        "seen": ",".join(sorted({need.code for need in here})),
        "needs_here": here,
        **context,
    }
    return render(request, f"experiments/steps/{step}.html", full)


def saved_steps(row: Experiment | None) -> frozenset[str]:
    """Steps that a person has saved, from the draft's history."""
    if row is None:
        return frozenset()
    reasons = row.history.filter(history_change_reason__startswith=STEP_SAVED)
    texts = reasons.values_list("history_change_reason", flat=True).distinct()
    return frozenset(reason.removeprefix(STEP_SAVED) for reason in texts)


def _mends(form: Any, bound: Any) -> list[QuickFix]:
    """Buttons of the field's own errors and of the form, without duplicates."""
    if not bound.errors:
        return []
    known = [mend for error in bound.errors.data for mend in getattr(error, "mends", ())]
    mends = [QuickFix(str(mend.label), {mend.field or bound.html_name: mend.value}) for mend in known if not mend.href]
    mends += form.mend(bound.name) if hasattr(form, "mend") else []
    return list({mend.value: mend for mend in reversed(mends)}.values())[::-1]


def _state(slug: str, title: str, at: int, place: int, done: frozenset[str], needs: Iterable[Need]) -> dict[str, Any]:
    """State of a step: untouched, done, or its number of problems; only a saved step can be done."""
    lacking = [need for need in needs if need.step == slug]
    state = "untouched" if slug not in done else "needs" if lacking else "done"
    words = {"untouched": _("not saved yet"), "done": _("done"), "needs": _("needs {n}").format(n=len(lacking))}
    return {
        "slug": slug,
        "title": title,
        "number": at + 1,
        "here": at == place,
        "state": "" if slug == "review" else state,
        "words": "" if slug == "review" else words[state],
        "reason": lacking[0].sentence if lacking and state == "needs" else "",
    }


def _offer(form: Any, needs: Iterable[Need]) -> None:
    """Put first drafts beside empty fields, as buttons without an error message."""
    for need in needs:
        if form is not None and need.field in form.fields:
            bound = form[need.field]
            bound.mends = [*bound.mends, *(mend for mend in need.mends if not mend.url)]


def _noted(all_forms: list[Any], needs: list[Need]) -> list[Need]:
    """Attach each problem and each button to its field; return those without a field, for the top of the page."""
    left: dict[str, list[Need]] = {need.field: [] for need in needs}
    for need in needs:
        left[need.field].append(need)
    for each in all_forms:
        for form in each.forms if isinstance(each, forms.BaseFormSet) else [each]:
            for name in form.fields:
                bound = form[name]
                bound.notes = left.pop(name, []) if form is each else []
                bound.mends = _mends(form, bound)
    return [need for group in left.values() for need in group]


# Words for the promise of a moment's study, and the effects that a plan derives from it.


def promise(moment: AhaMoment | None) -> str:
    """The evidence ladder's last computable difference, a tenth and a half of it; empty without evidence."""
    adjusted = None if moment is None else promised(moment.evidence).adjusted
    if adjusted is None or adjusted.estimate <= 0:
        return ""
    text = _(
        "In the study, users who did it were retained {whole} more often than the others, after adjusting for "
        "everything measured. Most of that is usually not caused by the behaviour. So a tenth of it, {tenth}, is "
        "proposed as the smallest effect worth acting on, and half of it, {half}, as what you may hope for until "
        "past experiments say better."
    )
    return text.format(
        whole=effect_text(adjusted.estimate, share=True, plus=True),
        tenth=effect_text(max(SHARE_OF_PROMISE * adjusted.estimate, LEAST_EFFECT), share=True),
        half=effect_text(HOPED_FOR * adjusted.estimate, share=True),
    )


# The last step: the complete plan on one page, its remaining problems, and the start.


def review(request: HttpRequest, row: Experiment) -> HttpResponse:
    """Show the page; POST starts the experiment. Warnings need an explicit confirmation."""
    context = document_context(request, row)
    needs = needs_of(row, context["known"])
    blocking, silly = [need for need in needs if need.blocks], [need for need in needs if not need.blocks]
    refusal = ""
    if request.method == "POST" and silly and not blocking and "sure" not in request.POST:
        refusal = _("Tick the box below first: it says that you mean the plan as it is.")
    elif request.method == "POST":
        try:
            moves.move(
                key=row.key,
                action=Action.START,
                by=person(request),
                why=request.POST.get("why", ""),
                without_review="without_review" in request.POST,
            )
        except Refused as refused:
            refusal = refused.sentence
            row.refresh_from_db()
        else:
            messages.success(request, _("{name} runs now.").format(name=row.title))
            return HttpResponseRedirect(reverse("experiments:report", args=[row.key]))
    context["review"] = panel(request, row, context["known"])
    context |= {"blocking": blocking, "silly": silly, "refusal": "" if blocking else refusal}
    return page(request, row, "review", context, context["known"])


# Views of the steps. Each stores its part of the draft through a service and leads to the next step.

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
    data = edited(request.POST.copy())
    try:
        changes = parse_qsl(data.get("mend", ""), keep_blank_values=True, max_num_fields=MOST_CHANGES)
    except ValueError:
        raise PermissionDenied from None
    for name, value in changes:
        if name != "mend":
            data[name] = value
    return data


def _hypothesis(request: HttpRequest, row: Experiment) -> HttpResponse:
    data = mended(request)
    context = {"promise": promise(row.moment)}
    form = step_forms.HypothesisForm(data, experiment=row)
    if data is not None and "propose" in data:
        form = _with_others(row, data, form)
        return page(request, row, "hypothesis", {"form": form, "unsaved": True, **context})
    return _stored(request, row, "hypothesis", form, lambda: _hypothesis_values(row, form), **context)


def _with_others(row: Experiment, data: QueryDict, form: step_forms.HypothesisForm) -> step_forms.HypothesisForm:
    """The form with the proposed other behaviours in its rows; nothing is stored."""
    form.is_valid()
    moment = form.cleaned_data.get("moment") or row.moment
    try:
        rows = others.proposed_rows(row, moment)
    except Refused as refusal:
        form.add_error("other_behaviours", refusal.sentence)
        return form
    for name in [name for name in data if name.startswith("other_behaviours-")]:
        del data[name]
    data.update(other_changes(rows, share=form.is_share))
    return step_forms.HypothesisForm(data, experiment=row)


def _hypothesis_values(row: Experiment, form: step_forms.HypothesisForm) -> dict[str, Any]:
    """What the form stores. With another moment the proposed list comes along, unless a person changed the rows."""
    values = form.values()
    moment = values["moment"]
    touched = "other_behaviours" in values and "other_behaviours" in form.changed_data
    if moment == row.moment or touched:
        return values
    try:
        rows = [] if moment is None else others.proposed_rows(row, moment)
    except Refused:
        rows = []
    return {**values, "other_behaviours": rows}


def _variants(request: HttpRequest, row: Experiment) -> HttpResponse:
    data = mended(request)
    form = step_forms.VariantsForm(data, experiment=row)
    if row.is_lab:
        return _stored(request, row, "variants", form, form.values)
    arms = step_forms.arms(row, data, more="more" in request.POST)
    if "propose" in request.POST:
        arms = step_preview.proposed(row, request.POST)
    if "more" in request.POST or "propose" in request.POST:
        return page(request, row, "variants", {"form": form, "arms": arms, "unsaved": True})
    return _stored(request, row, "variants", form, lambda: {**form.values(), "variants": arms.values()}, arms=arms)


def _audience(request: HttpRequest, row: Experiment) -> HttpResponse:
    data = mended(request)
    form = step_forms.AudienceStepForm(data, experiment=row)
    segments = step_forms.segments(row, data)
    return _stored(
        request,
        row,
        "audience",
        form,
        lambda: {**form.values(), "audience": step_forms.audience(row, form, segments)},
        segments=segments,
        rows=step_forms.with_segments(segments),
    )


def _outcomes(request: HttpRequest, row: Experiment) -> HttpResponse:
    form = judging_forms.OutcomesForm(mended(request), experiment=row)
    return _stored(request, row, "outcomes", form, lambda: form.values(), suggestions=plan_summary.suggestions(row))


def _plan(request: HttpRequest, row: Experiment) -> HttpResponse:
    data = mended(request)
    known = known_numbers.remembered_inflow(row)
    context: dict[str, Any] = {
        "worth": _worth(row),
        "promise": promise(row.moment),
        "end_to_check": overview.end_to_check(row),
        "unknown": known is not None and (known.per_day <= 0 or unplannable(known) is not None),
        "offered": known is None or unplannable(known) is None,
    }
    if data is not None and "suggest" in data:
        form = _suggested(row, data)
        return page(request, row, "plan", {"form": form, "unsaved": form.is_valid(), **context, **_result(row, form)})
    if data is not None and data.pop("take", ""):
        form = _suggested(row, data)
    else:
        # Only a page that nobody has saved proposes; what somebody chose stays.
        first = data is None and "plan" not in saved_steps(row)
        context["proposed"] = known_numbers.adjustment_proposed(row) if first else ""
        form = judging_forms.PlanForm(data, experiment=row, initial={"primary": LIN} if context["proposed"] else {})
    return _stored(request, row, "plan", form, lambda: form.values(), **context, **_result(row, form))


def _result(row: Experiment, form: judging_forms.PlanForm) -> dict[str, Any]:
    """The day of the result for the planned end in the form."""
    end = row.planned_end
    if form.is_bound:
        end = form.cleaned_data.get("planned_end") if form.is_valid() else None
    return {"result_said": step_preview.result_said(end, row.primary_metrics)}


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
        suggestion = sized_plan(plan, known_numbers.recent_inflow(row), enrolled_share(plan))
    except Refused as refusal:
        form.add_error(None, ValidationError(refusal.sentence))
        return form
    filled = data.copy()
    if computable(suggestion.planned_units):
        filled["planned_units"] = str(suggestion.planned_units)
    if computable(suggestion.planned_end):
        filled["planned_end"] = suggestion.planned_end.isoformat()
    if row.smallest_effect is None and computable(suggestion.smallest_effect):
        filled["smallest_effect"] = effect_as_typed(suggestion.smallest_effect, share=form.is_share) or ""
    form = judging_forms.PlanForm(filled, experiment=row)
    missing = suggestion.planned_end if computable(suggestion.planned_units) else suggestion.planned_units
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
    if is_edit(request.POST):  # a button of the rows, pressed without script
        return page(request, row, step, {"form": form, "unsaved": True, **context})
    if request.method == "POST" and form.is_valid() and all(other.is_valid() for other in others):
        try:
            drafts.update_draft(key=row.key, by=person(request), why=f"{drafts.STEP_SAVED}{step}", **values())
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            return go(request, row.key, step)
    return page(request, row, step, {"form": form, **context}, known_of(row, ask=False))


def go(request: HttpRequest, key: str, step: str) -> HttpResponse:
    """Redirect to the next step, to the review if requested, or back to this step where it has new problems."""
    order = ORDER
    next_step = "review" if "review" in request.POST else order[order.index(step) + 1]
    if "mend" in request.POST:
        next_step = step
    elif "review" not in request.POST:
        row = draft_or_404(key)
        codes = {need.code for need in needs_of(row, known_of(row, ask=False)) if need.step == step}
        if codes - set(request.POST.get("seen", "").split(",")):
            next_step = step
    return HttpResponseRedirect(reverse("experiments:step", args=[key, next_step]))


# The first step before a draft exists; `?moment=KEY`, `?segment=SLUG`, `?outcome=SPEC` prefill it.


@login_required
@may("experiments.add_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def new_plan(request: HttpRequest) -> HttpResponse:
    """Show the form, and create the draft from it; `?kind=lab` for that of a lab."""
    lab = request.GET.get("kind") == ExperimentKind.LAB
    moment = AhaMoment.objects.filter(key=request.GET.get("moment", "").replace("\x00", "")).first()
    kind = ExperimentKind.LAB if lab else ExperimentKind.TEST
    offered = [one for one in PlanTemplate.objects.filter(archived_at=None) if kind_of(one.content) == kind]
    template = next((candidate for candidate in offered if candidate.key == request.GET.get("template", "")), None)
    initial: dict[str, Any] = {} if template is None else _of_template(template, moment)
    if moment is not None and template is None:
        initial = {
            "name": made_names.made_lab_name(moment) if lab else made_names.made_test_name(moment),
            "hypothesis": made_names.made_hypothesis(moment, lab=lab),
            "moment": moment,
        }
    form = step_forms.HypothesisForm(mended(request), initial=initial, lab=lab)
    if request.method == "POST" and form.is_valid() and "mend" not in request.POST:
        try:
            draft = _create(form.kept(), person(request), request.GET.dict(), template)
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(
                request,
                _("{name} is a draft now. Nothing is shown to anybody until you start it.").format(name=draft.title),
            )
            return go(request, draft.key, "hypothesis")
    context = {
        "form": form,
        "from_moment": moment,
        "promise": promise(moment),
        "templates": offered,
        "chosen": template,
        "lab": lab,
    }
    return page(request, None, "hypothesis", context)


def _of_template(template: PlanTemplate, moment: AhaMoment | None) -> dict[str, Any]:
    """Initial values of the first step: the template's texts, and its moment unless the link named another."""
    fields = template.content["fields"]
    aha_moment = moment or AhaMoment.objects.filter(key=fields.get("moment") or "").first()
    return {"hypothesis": fields.get("hypothesis", ""), "moment": aha_moment}


def _create(
    values: dict[str, Any], by: User | None, parameters: Mapping[str, str], template: PlanTemplate | None
) -> Experiment:
    """Create a draft from the first step; with a moment, its evidence fills in size and effect.

    A template has its own values.
    """
    moment, key = values["moment"], values["key"]
    if template is not None:
        return draft_from_template(
            template=template,
            name=values["name"],
            key=key or drafts.free_key(key_from(values["name"], "experiment")),
            by=by,
            hypothesis=values["hypothesis"],
            moment=moment,
        )
    if moment is not None:
        lab = parameters.get("kind") == ExperimentKind.LAB
        draft = (drafts.draft_lab if lab else drafts.draft_from_moment)(moment=moment, by=by, key=key or None)
        texts: dict[str, Any] = {name: values[name] for name in ("name", "hypothesis") if values[name]}
    else:
        texts = {}
        draft = drafts.create_draft(
            key=key or drafts.free_key(key_from(values["name"], "experiment")),
            by=by,
            name=values["name"],
            hypothesis=values["hypothesis"],
            variants=drafts.VARIANTS,
            value_type=ValueType.BOOLEAN,
            default_value=False,
        )
    given_rows = [{"segment_key": segment.slug} for segment in choices() if segment.slug == parameters.get("segment")]
    if moment is None and can_be_read(parameters.get("outcome", "")):
        texts["primary_metrics"] = [parameters["outcome"]]
    return drafts.update_draft(
        key=draft.key, by=by, audience=given_rows or None, why=f"{drafts.STEP_SAVED}hypothesis", **texts
    )
