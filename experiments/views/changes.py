"""Change a running experiment: amend the plan, raise the coverage. Changes are logged with their reason."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from experiments.forms.changes import AmendForm, CoverageForm
from experiments.models import Experiment
from experiments.plan import amend as amending
from experiments.views import frame
from runs.refusals import Refused
from runs.web import may, person


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def amend(request: HttpRequest, key: str) -> HttpResponse:
    """Amend the plan, with a reason."""
    experiment = frame.find(key)
    form = AmendForm(request.POST or None, instance=experiment)

    def done(values: dict[str, Any]) -> None:
        amending.amend(key=key, why=values["why"], by=person(request), **form.changes())

    about = _("The change is logged with your reason, and stands on the report.")
    return _page(request, experiment, form, done, _("Amend the plan"), about)


@login_required
@may("experiments.change_experiment")
@require_http_methods(["GET", "HEAD", "POST"])
def coverage(request: HttpRequest, key: str) -> HttpResponse:
    """Raise the coverage of one row of the audience."""
    experiment = frame.find(key)
    form = CoverageForm(request.POST or None, rows=list(experiment.audience.order_by("position")))

    def done(values: dict[str, Any]) -> None:
        amending.raise_coverage(key=key, by=person(request), **values)

    about = _("More units of one row are enrolled. Nobody who is in is moved, and it can't be lowered again.")
    return _page(request, experiment, form, done, _("Raise coverage"), about)


def _page(
    request: HttpRequest,
    experiment: Experiment,
    form: forms.BaseForm,
    do: Callable[[dict[str, Any]], Any],
    title: str,
    about: str,
) -> HttpResponse:
    """A form that confirms the change: a GET request must never change anything."""
    if request.method == "POST" and form.is_valid():
        try:
            do(form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, _("%(what)s: done.") % {"what": title})
            return redirect("experiments:history", key=experiment.key)
    context = {"experiment": experiment, "form": form, "title": title, "about": about}
    return render(request, "experiments/change.html", context)
