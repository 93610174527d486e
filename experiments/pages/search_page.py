"""Page that searches the fastest test of a plan: known values are filled in, others can be entered."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from experiments.models import Experiment
from experiments.plan.design_search import Given, search_for
from experiments.report import planning
from runs.refusals import Refused
from runs.web import may

MOST_ROWS = 24  # of each kind; the command lists all


class SearchForm(forms.Form):
    """Values that a person may enter instead of known ones."""

    effect = forms.FloatField(
        label=_("Effect of the behaviour"),
        required=False,
        help_text=_("Absolute: 0.05 is five points. Empty: the plan's, or half of what the study predicted."),
    )
    take_up = forms.FloatField(
        label=_("Expected take-up"),
        required=False,
        min_value=0.0001,
        max_value=1,
        help_text=_(
            "Share of users who do it because of the nudge. Empty: what past experiments with this behaviour found."
        ),
    )
    r_squared = forms.FloatField(
        label=_("R² of covariates"),
        required=False,
        min_value=0,
        max_value=0.99,
        help_text=_("Share of the variance that what is known before explains. Empty: that of the plan's adjustment."),
    )
    deadline = forms.IntegerField(
        label=_("Deadline, days"),
        required=False,
        min_value=1,
        max_value=730,
        help_text=_("The smallest effects that can be found are compared at this day. Empty: 60."),
    )
    exposure = forms.FloatField(
        label=_("Users who get the feature"),
        required=False,
        min_value=0.0001,
        max_value=1,
        help_text=_("Share of those who have it. Empty: everybody."),
    )

    def given(self) -> Given:
        """The values as input of the search."""
        values = self.cleaned_data
        take_up = values["take_up"]
        return Given(
            effect=values["effect"],
            take_ups=() if take_up is None else (("", take_up),),
            r_squared=values["r_squared"],
            deadline=values["deadline"] or 60,
            exposure=values["exposure"] or 1.0,
        )


@login_required
@may("experiments.view_experiment")
@require_safe
def design_search(request: HttpRequest, key: str) -> HttpResponse:
    """The page; `?show` computes the tables, with a warehouse query per segment model."""
    row = get_object_or_404(Experiment.objects.select_related("moment", "layer", "holdout"), key=key)
    form = SearchForm(request.GET if "show" in request.GET else None)
    context: dict[str, Any] = {"experiment": row, "form": form, "may_plan": row.status == Experiment.Status.DRAFT}
    if form.is_bound and form.is_valid():
        context |= _found(row, form)
    return render(request, "experiments/steps/search.html", context)


def _found(row: Experiment, form: SearchForm) -> dict[str, Any]:
    try:
        searched = search_for(row, form.given())
    except Refused as refusal:
        return {"refusal": refusal.sentence}
    return {
        "lead": planning.lead(searched.inputs, searched.result),
        "parting": ""
        if searched.parting is None
        else planning.parting_sentence(searched.parting, share=planning.is_share(searched.inputs)),
        "tables": [*planning.ranked_tables(searched.result, most=MOST_ROWS), planning.refused_table(searched.result)],
    }
