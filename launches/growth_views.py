"""Pages under /growth/: the newest forecast of growth, an older one, and the button that starts another."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from launches.growth import forecasts
from launches.growth import report as words
from launches.growth.model import GROWTH
from launches.models import GrowthForecast
from runs.models import Run
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import may, person, progress_of


@login_required
@may("launches.view_growthforecast")
@require_safe
def newest(request: HttpRequest) -> HttpResponse:
    """The newest forecast, and the progress of one that is under way."""
    rows = GrowthForecast.objects.all()
    return _page(request, rows.filter(status=Run.Status.DONE).first(), rows.first())


@login_required
@may("launches.view_growthforecast")
@require_safe
def forecast_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One forecast: its progress or its result."""
    row = get_object_or_404(GrowthForecast, pk=pk)
    return _page(request, row if row.status == Run.Status.DONE else None, row)


def _page(request: HttpRequest, done: GrowthForecast | None, last: GrowthForecast | None) -> HttpResponse:
    above = last if last is not None and last.status != Run.Status.DONE else None
    context: dict[str, Any] = {
        "run": done,
        "above": above,
        "others": GrowthForecast.objects.light().exclude(pk=0 if done is None else done.pk)[:10],
        **({} if above is None else progress_of(above)),
        **({} if done is None else forecast_body(done)),
    }
    return render(request, "growth/page.html", context)


def forecast_body(run: GrowthForecast) -> dict[str, Any]:
    """Context of `growth/forecast_body.html` for a finished forecast, on its page and in its download."""
    report = GROWTH.of(run)
    if isinstance(report, Unreadable):
        return {"unreadable": report.sentence()}
    if report is None:
        return {}
    return {
        "report": report,
        "headline": words.headline(report),
        "tested": words.tested_words(report),
        "parts": words.parts(report),
    }


@login_required
@may("launches.add_growthforecast")
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Forecast a year ahead now."""
    try:
        run = forecasts.start_forecast(by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("growth:newest")
    return redirect("growth:forecast", run.pk)
