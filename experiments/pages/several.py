"""Several experiments: promise and finding, two side by side, and who shares users with whom."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from experiments.analyse.across import calibration as across_calibration
from experiments.analyse.across import overlaps
from experiments.analyse.across.overlap_pairs import OVERLAP
from experiments.analyse.analyses import latest_analysis
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult
from experiments.models import Experiment, OverlapReport
from experiments.pages.listing import verdict
from experiments.pages.tabs import report
from experiments.report import calibration_page, overlap_page
from experiments.report.first_lines import estimand
from experiments.status import overview
from experiments.status.overview import health
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import may, person, shown_with_newer

# Page of promise and finding over all experiments.


@login_required
@require_safe
def calibration(request: HttpRequest) -> HttpResponse:
    """Promised (correlational) against causal effects, over all experiments."""
    result = across_calibration.calibrate()
    sentence = calibration_page.finding(result.pooled)
    left_out = [(row.name, row.verdict, row.why) for row in result.left_out]
    context = {
        "finding": sentence,
        "spread": calibration_page.spread(result.pooled),
        "drawing": calibration_page.draw(result.trials, sentence),
        "trials": calibration_page.trials(result.trials) if result.trials else None,
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


# Compare two experiments side by side. A locked outcome stays locked, and so does its difference to another.

CHOICES = 500  # the newest experiments to choose from


@login_required
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """`?a=KEY&b=KEY`: question, groups, numbers with their intervals, health and verdict of both."""
    rows = Experiment.objects.exclude(status=Experiment.Status.ARCHIVED).order_by("-created_at")
    keys = [request.GET.get(name, "").replace("\x00", "") for name in ("a", "b")]
    experiments = [_find(key) for key in keys]
    context: dict[str, Any] = {
        "choices": list(rows.values_list("key", "name")[:CHOICES]),
        "asked": keys,
        "unknown": [key for key, row in zip(keys, experiments, strict=True) if key and row is None],
        "same": keys[0] == keys[1] != "",
    }
    both = [row for row in experiments if row is not None]
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
    read = READOUT.of(run)
    readout = read if isinstance(read, AnalysisResult) else None
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
    return overlap_page.difference_sentence(first, second, names)


# Pages of shared users between experiments: the last count, an older one, and a new one.


@login_required
@require_safe
def overlap(request: HttpRequest) -> HttpResponse:
    """The last successful count, and above it the state of a newer one."""
    return _page(request, overlaps.latest_overlap())


@login_required
@require_safe
def overlap_report(request: HttpRequest, pk: int) -> HttpResponse:
    """One count, also an older one or one that failed."""
    return _page(request, get_object_or_404(OverlapReport, pk=pk))


@login_required
@may("experiments.add_overlapreport")
@require_POST
def count_overlap(request: HttpRequest) -> HttpResponse:
    """Request a new count."""
    try:
        overlaps.request_overlap(by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("experiments:overlap")


def overlap_body(run: OverlapReport) -> dict[str, Any]:
    """Context of `experiments/overlap_body.html` for a done count: on its page, and in its download."""
    result = OVERLAP.of(run)
    if result is None:
        return {}
    if isinstance(result, Unreadable):
        return {"unreadable": result.sentence()}
    return {
        "found": result,
        "lead": overlap_page.headline(result),
        "troubled": [pair for pair in result.pairs if result.troubles(pair)],
        "overview": overlap_page.overview(result) if result.pairs else None,
        "interactions": overlap_page.interactions(result),
        "parts": overlap_page.parts(result),
    }


def _page(request: HttpRequest, run: OverlapReport | None) -> HttpResponse:
    context = shown_with_newer(run, OverlapReport.objects.order_by("-pk").first())
    context["enough"] = len(overlaps.recent_experiments()) > 1
    if context["run"] is not None:
        context |= overlap_body(context["run"])
    return render(request, "experiments/overlap.html", context)
