"""Pages of shared users between experiments: the last count, an older one, and a new one."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from experiments.analyse.overlap import overlaps
from experiments.models import OverlapReport
from experiments.report.across import overlap_page
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import may, person, progress_of


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
    found = overlaps.read_overlap(run)
    if found is None:
        return {}
    if isinstance(found, Unreadable):
        return {"unreadable": found.sentence()}
    return {
        "found": found,
        "lead": overlap_page.headline(found),
        "troubled": [pair for pair in found.pairs if found.troubles(pair)],
        "overview": overlap_page.overview(found) if found.pairs else None,
        "interactions": overlap_page.interactions(found),
        "parts": overlap_page.parts(found),
    }


def _page(request: HttpRequest, run: OverlapReport | None) -> HttpResponse:
    done = run if run is not None and run.status == OverlapReport.Status.DONE else None
    newest = OverlapReport.objects.order_by("-pk").first()
    above = newest if newest is not None and newest.status != OverlapReport.Status.DONE else None
    if run is not None and done is None:
        above = run
    context = {
        "run": done,
        "above": above,
        "may_count": above is None or not above.is_open,
        "enough": len(overlaps.recent_experiments()) > 1,
        **({} if above is None else progress_of(above)),
        **({} if done is None else overlap_body(done)),
    }
    return render(request, "experiments/overlap.html", context)
