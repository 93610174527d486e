"""Page of promise and finding over all experiments."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from experiments.analyse import calibration as calibrating
from experiments.models import Experiment
from experiments.report.across import calibration_page
from experiments.views.results import report


@login_required
@require_safe
def calibration(request: HttpRequest) -> HttpResponse:
    """Promised (correlational) against causal effects, over all experiments."""
    found = calibrating.calibrate()
    sentence = calibration_page.finding(found.pooled)
    left_out = [(row.name, row.verdict, row.why) for row in found.left_out]
    context = {
        "finding": sentence,
        "spread": calibration_page.spread(found.pooled),
        "drawing": calibration_page.draw(found.trials, sentence),
        "trials": calibration_page.trials(found.trials) if found.trials else None,
        "left_out": calibration_page.left_out(left_out),
    }
    return render(request, "experiments/calibration.html", context)


@login_required
@require_safe
def calibration_until_0_3(request: HttpRequest) -> HttpResponse:
    """Redirect old links to the calibration page, unless an experiment has this key."""
    if Experiment.objects.filter(key="calibration").exists():
        return report(request, "calibration")
    return redirect("experiments:calibration")
