"""Frame of all step pages: navigation, state of each step, and notes at the fields."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from experiments.models import Experiment
from experiments.plan.drafts import STEP_SAVED
from experiments.plan_page.known_numbers import Known
from experiments.plan_page.plan_summary import STEPS
from experiments.steps.mends import Mend
from experiments.steps.needs import Need, needs_of

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
    here = [one for one in needs if one.step == step and step in done] if step != "review" else []
    forms_here = [context.get(name) for name in ("form", "arms", "segments")]
    rest = _noted([one for one in forms_here if one is not None], here)
    if step not in done:
        _offer(context.get("form"), [one for one in needs if one.step == step and one.code in EMPTY])
    place = ORDER.index(step)
    full = {
        "experiment": row,
        "step": step,
        "step_title": STEPS[step],
        "steps": [_state(slug, at, place, done, needs) for at, slug in enumerate(ORDER)],
        "before": ORDER[place - 1] if place and row is not None else None,
        "needs": rest,
        "seen": ",".join(sorted({one.code for one in here})),
        "needs_here": here,
        **context,
    }
    return render(request, f"experiments/steps/{step}.html", full)


def saved_steps(row: Experiment | None) -> frozenset[str]:
    """Steps that a person has saved, from the draft's history."""
    if row is None:
        return frozenset()
    reasons = row.history.filter(history_change_reason__startswith=STEP_SAVED)
    found = reasons.values_list("history_change_reason", flat=True).distinct()
    return frozenset(reason.removeprefix(STEP_SAVED) for reason in found)


def _mends(form: Any, bound: Any) -> list[Mend]:
    """Buttons of the field's own errors and of the form, without duplicates."""
    if not bound.errors:
        return []
    known = [one for error in bound.errors.data for one in getattr(error, "mends", ())]
    found = [Mend(str(one.label), {one.field or bound.html_name: one.value}) for one in known if not one.href]
    found += form.mend(bound.name) if hasattr(form, "mend") else []
    return list({one.value: one for one in reversed(found)}.values())[::-1]


def _state(slug: str, at: int, place: int, done: frozenset[str], needs: Iterable[Need]) -> dict[str, Any]:
    """State of a step: untouched, done, or its number of problems; only a saved step can be done."""
    lacking = [one for one in needs if one.step == slug]
    state = "untouched" if slug not in done else "needs" if lacking else "done"
    words = {"untouched": _("not saved yet"), "done": _("done"), "needs": _("needs {n}").format(n=len(lacking))}
    return {
        "slug": slug,
        "title": STEPS[slug],
        "number": at + 1,
        "here": at == place,
        "state": "" if slug == "review" else state,
        "words": "" if slug == "review" else words[state],
        "reason": lacking[0].sentence if lacking and state == "needs" else "",
    }


def _offer(form: Any, needs: Iterable[Need]) -> None:
    """Put first drafts beside empty fields, as buttons without an error message."""
    for one in needs:
        if form is not None and one.field in form.fields:
            bound = form[one.field]
            bound.mends = [*bound.mends, *(mend for mend in one.mends if not mend.url)]


def _noted(all_forms: list[Any], needs: list[Need]) -> list[Need]:
    """Attach each problem and each button to its field; return those without a field, for the top of the page."""
    left: dict[str, list[Need]] = {one.field: [] for one in needs}
    for one in needs:
        left[one.field].append(one)
    for each in all_forms:
        for form in each.forms if isinstance(each, forms.BaseFormSet) else [each]:
            for name in form.fields:
                bound = form[name]
                bound.notes = left.pop(name, []) if form is each else []
                bound.mends = _mends(form, bound)
    return [one for group in left.values() for one in group]
