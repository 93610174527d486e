"""What the steps show beside their forms: arms, segments with their counts, the size that a plan needs."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.forms import ValidationError
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from experiments.models import Experiment
from experiments.plan import audience as counting
from experiments.plan.derived import share_left
from experiments.plan.record import WHOLE
from experiments.plan.stored import plan_of
from experiments.plan_page import power_curve
from experiments.plan_page.power_curve import PowerCurve, Sizing
from experiments.plan_page.saved_rows import saved_rows
from experiments.report import power_chart
from experiments.steps import arms_lines, judging_forms, step_forms
from reporting.numbers import count, decimal, effect_text, percent, significant
from reporting.words import reason_words
from runs.refusals import Refused
from stats.results import NotComputable, computable

LEAST_ARMS = 2


def arms(row: Experiment, data: Any, *, more: bool) -> Any:
    """The form of the arms: at least two rows, and one more when a person asks for it."""
    if data is not None:
        data = data.copy()
        if more:
            data["arms-TOTAL_FORMS"] = str(int(data.get("arms-TOTAL_FORMS", 0)) + 1)
        return step_forms.Arms(data, prefix="arms")
    stored: list[Any] = list(row.variants.order_by("position").values(*step_forms.ARM_FIELDS))
    stored += [{}] * (LEAST_ARMS - len(stored))
    return step_forms.Arms(initial=stored, prefix="arms")


def segments(row: Experiment, data: Any) -> Any:
    """The form of the published segments, those of the draft first and in its order."""
    if data is not None:
        return step_forms.Segments(data, prefix="segments")
    places = {one.segment_key: one for one in row.audience.all() if one.segment_key is not None}
    known = [one.slug for one in counting.choices()]
    slugs = [*places, *(slug for slug in known if slug not in places)]
    return step_forms.Segments(
        prefix="segments",
        initial=[
            {
                "slug": slug,
                "taken": slug in places,
                "order": at if slug in places else None,
                "coverage": places[slug].coverage if slug in places else WHOLE,
            }
            for at, slug in enumerate(slugs, start=1)
        ],
    )


def with_segments(formset: Any) -> list[tuple[Any, Any]]:
    """Each row of the form beside the segment that it is about; None for one that is no longer published."""
    known = {one.slug: one for one in counting.choices()}
    return [(form, known.get(form["slug"].value())) for form in formset.forms]


def audience(row: Experiment, form: step_forms.AudienceStepForm, formset: Any) -> list[dict[str, Any]]:
    """Rows of the audience from the form; what the page doesn't ask, weights and a copied rule, stays.

    Raises:
        Refused: by segment, but none was chosen.
    """
    given = form.cleaned_data
    kept = {one.segment_key: {"weights": one.weights, "rule": one.rule} for one in row.audience.all()}
    if given["who"] == "everyone":
        part = WHOLE if given["everyone_coverage"] is None else given["everyone_coverage"]
        if part == WHOLE and None not in kept:
            return []  # no rows take everyone
        return [{**kept.get(None, {}), "segment_key": None, "coverage": part}]
    rows = [{**kept.get(slug, {}), "segment_key": slug, "coverage": part} for slug, part in _taken(formset)]
    if not rows:
        raise Refused("Choose at least one segment, or everyone.")
    if given["rest_coverage"]:
        rows.append({**kept.get(None, {}), "segment_key": None, "coverage": given["rest_coverage"]})
    return rows


def eligible_context(row: Experiment, data: Any) -> dict[str, Any]:
    """How many units the audience in the form, or the stored one, has now, and how many of them come a day."""
    wanted = counting.rows_of(row)
    if data is not None:
        form, formset = step_forms.AudienceStepForm(data, experiment=row), step_forms.Segments(data, prefix="segments")
        if not (form.is_valid() and formset.is_valid()):
            return {"refusal": _("Correct the form to see how many units it takes.")}
        for name, value in form.values().items():
            setattr(row, name, value)  # in memory alone: the count follows the form
        try:
            wanted = [(one["segment_key"], one["coverage"]) for one in audience(row, form, formset)]
        except Refused as refusal:
            return {"refusal": refusal.sentence}
    try:
        found = counting.count(wanted, within=share_left(plan_of(row)))
    except Refused as refusal:
        return {"refusal": refusal.sentence}
    context: dict[str, Any] = {"eligible": found, "percent": f"{100 * found.share:.1f}"}
    try:
        inflow = power_curve.recent_inflow(row)
    except Refused as refusal:
        return {**context, "no_inflow": refusal.sentence}
    return {**context, "per_day": f"{inflow.per_day:,.0f}", "in_per_day": f"{inflow.per_day * found.share:,.0f}"}


def curve_context(row: Experiment, data: Any) -> dict[str, Any]:
    """Size, days and power curve of the plan in the form."""
    form = judging_forms.PlanForm(data, experiment=row)
    if not form.is_valid():
        return {"refusal": _("Correct the form to see the size that it needs.")}
    try:
        found = _size(row, form)
    except Refused as refusal:
        return {"refusal": refusal.sentence}
    inflow, suggestion = found.suggestion.inflow, found.suggestion
    share = inflow.sd is None
    context: dict[str, Any] = {
        "lines": [
            (_("Units needed"), _say(suggestion.planned_units, count)),
            (_("Days until the last outcome is known"), _say(suggestion.days, count)),
            (_("End if it started today"), _day(suggestion.planned_end)),
            (
                _("Effect it is sized for"),
                _say(suggestion.planned_effect, partial(effect_text, share=share, plus=True)),
            ),
            (_("Outcome without the nudge"), _say(inflow.base, percent if share else significant)),
            (_("Units a day, and share enrolled"), f"{decimal(inflow.per_day, 0)} · {percent(suggestion.coverage)}"),
            (_("Level of one comparison"), _say(suggestion.level, partial(percent, digits=2))),
            (_("Units, as a multiple of one look's"), _say(suggestion.inflation, partial(decimal, digits=3))),
            (
                _("Chance to conclude no effect that matters, if there is none"),
                _say(suggestion.power_no_material_effect, partial(percent, digits=0)),
            ),
        ],
        "can_take": computable(suggestion.planned_units),
    }
    context["lines"] += saved_rows(suggestion)
    if suggestion.power_to_ship is not None:
        chance = _say(suggestion.power_to_ship, partial(percent, digits=0))
        context["lines"].append((_("Chance to ship a true success, at least"), chance))
    if inflow.reach is not None:
        context["lines"].append((_("Reach the moment without the nudge"), _say(inflow.reach, percent)))
    context["arms"] = arms_lines.lines(row, suggestion)
    return {**context, **_drawn(found.curve)}


def suggested(row: Experiment, data: Any) -> judging_forms.PlanForm:
    """The form with the suggested size, end and effect filled in."""
    form = judging_forms.PlanForm(data, experiment=row)
    if not form.is_valid():
        return form
    try:
        found = _size(row, form, fresh=True).suggestion
    except Refused as refusal:
        form.add_error(None, ValidationError(refusal.sentence))
        return form
    filled = data.copy()
    for name in ("planned_units", "planned_end", "smallest_effect"):
        if computable(value := getattr(found, name)):
            filled[name] = (
                value.isoformat()
                if name == "planned_end"
                else f"{value:.6g}"
                if name == "smallest_effect"
                else str(value)
            )
    return judging_forms.PlanForm(filled, experiment=row)


def _size(row: Experiment, form: judging_forms.PlanForm, *, fresh: bool = False) -> Sizing:
    for name, value in form.values().items():
        setattr(row, name, value)  # in memory alone: the curve follows the form
    if fresh and (row.planned_effect is not None or row.smallest_effect is not None):
        row.planned_units = None
    return power_curve.size(row)


def _taken(formset: Any) -> list[tuple[str, int]]:
    """Chosen segments with their coverage, in the order that was written; those without a number come last."""
    rows = [form.cleaned_data for form in formset.forms if form.cleaned_data.get("taken")]
    rows.sort(key=lambda one: one["order"] if one["order"] is not None else 1_000)
    return [(one["slug"], WHOLE if one["coverage"] is None else one["coverage"]) for one in rows]


def _drawn(curve: PowerCurve | NotComputable) -> dict[str, Any]:
    if not computable(curve):
        return {"no_curve": reason_words(curve)}
    drawing = power_chart.power_curve(
        curve.points,
        units=curve.units,
        reached=curve.reached,
        wanted=curve.wanted,
        effect=curve.effect,
        share=curve.share,
    )
    low = curve.reached < curve.wanted - 0.005
    return {"drawing": drawing, "points": [(count(one), percent(power, 0)) for one, power in curve.points], "low": low}


def _say(value: Any, write: Callable[[Any], str]) -> str:
    return reason_words(value) if isinstance(value, NotComputable) else write(value)


def _day(value: Any) -> str:
    return reason_words(value) if isinstance(value, NotComputable) else date_format(value)
