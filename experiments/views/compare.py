"""Compare two experiments side by side. A locked outcome stays locked, and so does its difference to another."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from experiments.analyse.analyses import latest_analysis, read_analysis
from experiments.analyse.result import Readout
from experiments.models import Experiment
from experiments.report.across import two_experiments
from experiments.report.first_lines import estimand
from experiments.standing import overview
from experiments.standing.health_light import health
from experiments.views.listing import verdict
from experiments.views.results import report

CHOICES = 500  # the newest experiments to choose from


@login_required
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """`?a=KEY&b=KEY`: question, groups, numbers with their intervals, health and verdict of both."""
    rows = Experiment.objects.exclude(status=Experiment.Status.ARCHIVED).order_by("-created_at")
    asked = [request.GET.get(name, "").replace("\x00", "") for name in ("a", "b")]
    found = [_find(key) for key in asked]
    context: dict[str, Any] = {
        "choices": list(rows.values_list("key", "name")[:CHOICES]),
        "asked": asked,
        "unknown": [key for key, row in zip(asked, found, strict=True) if key and row is None],
        "same": asked[0] == asked[1] != "",
    }
    both = [row for row in found if row is not None]
    if len(both) == 2 and not context["same"]:
        sides = [_side(row, at) for row, at in zip(both, overview.standings(both), strict=True)]
        context |= {"sides": sides, "difference": _difference(sides)}
    return render(request, "experiments/compare.html", context)


@login_required
@require_safe
def compare_by_short_address(request: HttpRequest) -> HttpResponse:
    """Redirect the short address to the comparison, unless an experiment has this key."""
    if not request.GET and Experiment.objects.filter(key="compare").exists():
        return report(request, "compare")
    return redirect(f"{reverse('experiments:compare')}?{request.GET.urlencode()}")


def _find(key: str) -> Experiment | None:
    rows = Experiment.objects.select_related("moment", "created_by").defer("moment__evidence")
    return rows.prefetch_related("variants", "audience").filter(key=key).first() if key else None


def _side(row: Experiment, at: overview.Progress) -> dict[str, Any]:
    run = latest_analysis(row)
    read = read_analysis(run)
    readout = read if isinstance(read, Readout) else None
    return {
        "experiment": row,
        "at": at,
        "run": run,
        "readout": readout,
        "question": "" if readout is None else estimand(readout),
        "verdict": verdict(at),
        "light": health(at) if at.days is not None else None,
        "numbers": at.headline,
    }


def _difference(sides: list[dict[str, Any]]) -> str:
    """The difference in words, with its interval or why there is none."""
    first, second = (side["readout"] for side in sides)
    names = [side["experiment"].title for side in sides]
    return two_experiments.difference_sentence(first, second, names)
