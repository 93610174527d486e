"""Formsets of the steps: arms, and segments with their counts."""

from typing import Any

from experiments.models import Experiment
from experiments.plan import audience as counting
from experiments.plan.record import WHOLE
from experiments.steps import arms_form, step_forms
from runs.refusals import Refused

LEAST_ARMS = 2
MOST_ARMS = 20


def arms(row: Experiment, data: Any, *, more: bool) -> Any:
    """The form of the arms: at least two rows, and one more when a person adds one."""
    if data is not None:
        data = data.copy()
        if more:
            data["arms-TOTAL_FORMS"] = str(min(_whole(data.get("arms-TOTAL_FORMS")) + 1, MOST_ARMS))
        return arms_form.Arms(data, prefix="arms")
    stored: list[Any] = list(row.variants.order_by("position").values(*arms_form.ARM_FIELDS))
    stored += [{}] * (LEAST_ARMS - len(stored))
    return arms_form.Arms(initial=stored, prefix="arms")


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
    """Each row of the form with its segment; None for one that is no longer published."""
    known = {one.slug: one for one in counting.choices()}
    return [(form, known.get(form["slug"].value())) for form in formset.forms]


def audience(row: Experiment, form: step_forms.AudienceStepForm, formset: Any) -> list[dict[str, Any]]:
    """Audience rows from the form; what the form doesn't contain (weights, copied rules) stays.

    Raises:
        Refused: "by segment" without a chosen segment.
    """
    given = form.cleaned_data
    kept = {one.segment_key: {"weights": one.weights, "rule": one.rule} for one in row.audience.all()}
    if given["who"] == "everyone":
        part = WHOLE if given["everyone_coverage"] is None else given["everyone_coverage"]
        if part == WHOLE and None not in kept:
            return []  # without rows everyone is enrolled
        return [{**kept.get(None, {}), "segment_key": None, "coverage": part}]
    rows = [{**kept.get(slug, {}), "segment_key": slug, "coverage": part} for slug, part in _taken(formset)]
    if not rows:
        raise Refused("Choose at least one segment, or everyone.")
    if given["rest_coverage"]:
        rows.append({**kept.get(None, {}), "segment_key": None, "coverage": given["rest_coverage"]})
    return rows


def _taken(formset: Any) -> list[tuple[str, int]]:
    """Chosen segments with their coverage, in the entered order; those without a number come last."""
    rows = [form.cleaned_data for form in formset.forms if form.cleaned_data.get("taken")]
    rows.sort(key=lambda one: one["order"] if one["order"] is not None else 1_000)
    return [(one["slug"], WHOLE if one["coverage"] is None else one["coverage"]) for one in rows]


def _whole(text: Any) -> int:
    """A number of rows from a browser; 0 for anything else."""
    return int(text) if str(text).isdecimal() else 0
