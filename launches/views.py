"""Pages under /launches/: the list, the form, a launch, and a reading of its curve."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from events.pickers.quick_fixes import mended
from launches import readings
from launches import report as words
from launches.forms import LaunchForm
from launches.judge import LAUNCH
from launches.models import Launch, LaunchReading
from runs.models import Run
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.site_zone import site_date
from runs.web import is_htmx, listing, may, person, progress_of


@login_required
@may("launches.view_launch")
@require_safe
def launch_list(request: HttpRequest) -> HttpResponse:
    """The launches, the newest first, each with what its last reading suggests; htmx gets only the rows."""
    listed = listing(request, Launch.objects.all(), text_in=("title", "key", "decision"))
    done = LaunchReading.objects.light().filter(launch__in=[row.pk for row in listed.page], status=Run.Status.DONE)
    newest: dict[int, LaunchReading] = {}
    for reading in done.order_by("created_at"):
        newest[reading.launch_id] = reading
    rows = [
        {"launch": row, "reading": newest.get(row.pk), "ready": row.answers.days.readable_from} for row in listed.page
    ]
    template = "launches/rows.html" if is_htmx(request) else "launches/list.html"
    response = render(request, template, {"rows": rows, "listing": listed, "today": site_date()})
    patch_vary_headers(response, ["HX-Request"])
    return response


@login_required
@may("launches.add_launch")
@require_http_methods(["GET", "HEAD", "POST"])
def new_launch(request: HttpRequest) -> HttpResponse:
    """The six questions; a sent form registers the answers."""
    form = LaunchForm(mended(request.POST) if request.method == "POST" else None)
    if request.method == "POST" and "mend" not in request.POST and form.is_valid():
        try:
            row = readings.register(answers=form.answers, by=person(request))
        except Refused as refusal:
            form.add_error(refusal.at if refusal.at in form.fields else None, refusal.sentence)
        else:
            messages.success(request, gettext("Registered. These answers stay as they are."))
            return redirect("launches:launch", row.key)
    return render(request, "launches/new.html", {"form": form})


@login_required
@may("launches.view_launch")
@require_safe
def launch_page(request: HttpRequest, key: str) -> HttpResponse:
    """A launch: its answers, and the newest reading."""
    row = get_object_or_404(Launch.objects.select_related("created_by"), key=key)
    newest = row.readings.first()
    done = row.readings.filter(status=Run.Status.DONE).first()
    return _page(request, row, done, newest)


@login_required
@may("launches.view_launch")
@require_safe
def reading_page(request: HttpRequest, key: str, pk: int) -> HttpResponse:
    """One reading of a launch: its progress or its result."""
    row = get_object_or_404(Launch.objects.select_related("created_by"), key=key)
    reading = get_object_or_404(LaunchReading, pk=pk, launch=row)
    return _page(request, row, reading if reading.status == Run.Status.DONE else None, reading)


def _page(request: HttpRequest, row: Launch, done: LaunchReading | None, newest: LaunchReading | None) -> HttpResponse:
    above = newest if newest is not None and newest.status != Run.Status.DONE else None
    ready = row.answers.days.readable_from
    context: dict[str, Any] = {
        "launch": row,
        "asked": words.asked_words(row.answers),
        "ready": ready,
        "is_ready": site_date() >= ready,
        "run": done,
        "above": above,
        "others": row.readings.light().exclude(pk=0 if done is None else done.pk)[:10],
        **({} if above is None else progress_of(above)),
        **({} if done is None else report_body(done)),
    }
    return render(request, "launches/launch.html", context)


def report_body(run: LaunchReading) -> dict[str, Any]:
    """Context of `launches/reading_body.html` for a finished reading, on its page and in its download."""
    report = LAUNCH.of(run)
    if isinstance(report, Unreadable):
        return {"unreadable": report.sentence()}
    if report is None:
        return {}
    return {
        "report": report,
        "says": words.suggestion_words(report.suggestion),
        "headline": words.headline(report),
        "cautions": words.cautions(report),
        "needed": words.needed_words(report),
        "next_time": words.next_time_words(),
        "gap": words.gap_words(report),
        "parts": words.parts(report),
        "asked": words.asked_words(report.answers),
    }


@login_required
@may("launches.add_launchreading")
@require_POST
def read(request: HttpRequest, key: str) -> HttpResponse:
    """Read the curve now."""
    row = get_object_or_404(Launch, key=key)
    try:
        reading = readings.start_reading(launch=row, by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("launches:launch", key)
    return redirect("launches:reading", key, reading.pk)


@login_required
@may("launches.add_launch")
@require_POST
def withdraw(request: HttpRequest, key: str) -> HttpResponse:
    """Delete a launch whose curve nobody has read."""
    row = get_object_or_404(Launch, key=key)
    try:
        readings.withdraw(launch=row)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("launches:launch", key)
    messages.success(request, gettext("“%(name)s” is deleted.") % {"name": row.title})
    return redirect("launches:list")


@login_required
@may("experiments.add_experiment")
@require_POST
def plan_next(request: HttpRequest, key: str) -> HttpResponse:
    """Draft a test that keeps the next launch from 10 % of the users."""
    row = get_object_or_404(Launch, key=key)
    try:
        draft = readings.plan_next(launch=row, by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("launches:launch", key)
    messages.success(
        request,
        gettext("{name} is a draft now. Nothing is shown to anybody until you start it.").format(name=draft.title),
    )
    return redirect("experiments:step", draft.key, "hypothesis")
