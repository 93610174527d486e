"""The page on which the site's time zone is chosen; it says what changes before anything does."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from events.catalogue.listing import catalogue
from events.models import OutboxEvent
from experiments.models import Experiment
from experiments.plan.lifecycle import LIVE
from insight_site.models import Snapshot
from runs.queue.jobs import put
from runs.site_zone import choose_site_zone, chosen_zone, here, site_zone
from runs.web import may
from runs.zone_field import ZoneField

PERMISSION = "runs.change_sitezone"
COUNTED_ANEW = (
    "events.tasks.refresh_catalogue",
    "insight_site.tasks.count_home_figures",
    "aha.tasks.count_all_reaches",
    "aha.tasks.prepare_explore",
)


class ZoneForm(forms.Form):
    """The one field."""

    zone = ZoneField()


@dataclass(frozen=True)
class Running:
    """A live experiment and the zone that it keeps."""

    key: str
    title: str
    zone: str


def is_asked() -> bool:
    """True while nobody has chosen a zone: the first day asks for it."""
    return not chosen_zone()


def counts_nothing_yet() -> bool:
    """True on a site without events, where a choice changes no number."""
    return catalogue().is_empty and not OutboxEvent.objects.exists()


@login_required
@may(PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def site_zone_page(request: HttpRequest) -> HttpResponse:
    """GET shows the zone and, with ``?zone=``, what another one would change; POST takes it."""
    form = ZoneForm(request.POST if request.method == "POST" else request.GET if "zone" in request.GET else None)
    if request.method == "POST" and form.is_valid():
        take_zone(form.cleaned_data["zone"])
        messages.success(request, gettext("Days are counted in {zone}.").format(zone=form.cleaned_data["zone"]))
        return redirect(_next(request))
    context: dict[str, Any] = {"form": form if form.is_bound else ZoneForm({"zone": site_zone()})}
    if request.method != "POST" and form.is_bound and form.is_valid():
        zone = form.cleaned_data["zone"]
        if zone != site_zone() or is_asked():
            context |= {"proposed": zone, "there": here(zone=zone), "changes": changes(zone), "running": running()}
    return render(request, "insight_site/site_zone.html", {**context, "here": here()})


def take_zone(zone: str) -> None:
    """Store the zone, and have everything counted anew that a worker counts by days."""
    with transaction.atomic():
        if choose_site_zone(zone) == zone:
            return
        Snapshot.objects.filter(
            name=Snapshot.RETENTION
        ).delete()  # an empty tile until it is counted: no number of the other zone
        for task in COUNTED_ANEW:
            put(task)


def running() -> list[Running]:
    """The live experiments, each with the zone that it keeps."""
    rows = Experiment.objects.filter(status__in=[state.value for state in LIVE]).select_related("moment")
    return [Running(row.key, row.title, row.zone) for row in rows.order_by("key")]


def changes(zone: str) -> list[str]:
    """What another zone changes, and what it leaves as it is, in sentences."""
    if zone == site_zone():
        return [gettext("Nothing changes: days are those of {zone} already.").format(zone=zone)]
    return [
        gettext("Numbers by calendar days are counted anew; a worker takes some minutes."),
        gettext("These are tiles, boards, charts of Explore, events a day and the weekly shares of moments."),
        gettext("Numbers by days of 24 hours stay: they don't depend on a time zone."),
        gettext("Nightly work, the digest and the backup keep their hour, on the clocks of {zone}.").format(zone=zone),
        gettext("New studies, plans and imports begin with {zone}.").format(zone=zone),
        gettext("Finished studies and analyses stay as they are and name their zone."),
        gettext("Stored times of events, files and the API stay as they are."),
    ]


def _next(request: HttpRequest) -> str:
    there = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure())
    return there if there and safe else "site_zone"
