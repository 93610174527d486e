"""The decision memo of an experiment: one page in the reader's language, or another one, to print and sign."""

from decimal import Decimal

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from experiments.analyse.analyses import latest_analysis
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import Opened
from experiments.models import Experiment
from experiments.pages.tabs import find
from experiments.plan_page import known_numbers
from experiments.report import first_lines, memo
from experiments.report import summary as first_screen
from runs.refusals import Refused


class QuarterForm(forms.Form):
    """What the card about the next quarter needs besides the result."""

    per_day = forms.FloatField(label=_("new users a day"), min_value=0.01, max_value=1e9, required=False)
    value = forms.DecimalField(
        label=_("value of one more retained user"),
        help_text=_("In your currency. Empty: users alone."),
        min_value=Decimal("0.01"),
        max_value=Decimal(1_000_000),
        required=False,
    )


@login_required
@require_safe
def decision_memo(request: HttpRequest, key: str) -> HttpResponse:
    """The memo of the newest result that may be read; 404 before there is one."""
    experiment = find(key)
    run = latest_analysis(experiment)
    readout = READOUT.of(run)
    if run is None or not isinstance(readout, Opened):
        raise Http404
    language = request.GET.get("language", "")
    form = QuarterForm(request.GET if {"per_day", "value"} & set(request.GET) else None)
    given = form.cleaned_data if form.is_bound and form.is_valid() else {}
    with translation.override(language if language in dict(settings.LANGUAGES) else translation.get_language()):
        per_day = given.get("per_day") or _inflow(experiment)
        found = first_screen.summary(readout)
        quarter = None if per_day is None else memo.quarter(readout, per_day)
        context = {
            "experiment": experiment,
            "run": run,
            "readout": readout,
            "opening": first_lines.opening(readout),
            "summary": found,
            "entries": memo.entries(readout, found, experiment.hypothesis_shown),
            "form": form,
            "per_day": per_day,
            "quarter": quarter,
            "rows": [] if quarter is None else list(quarter.rows(given.get("value"))),
            "with_money": given.get("value") is not None,
        }
        return render(request, "experiments/memo.html", context)


def _inflow(experiment: Experiment) -> float | None:
    try:
        return known_numbers.recent_inflow(experiment).per_day or None
    except Refused:
        return None
