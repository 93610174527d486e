"""The latest events, and refused events with the reason."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from events.inflow import live_tail
from runs.web import is_htmx, may


@login_required
@may("events.view_source")
@require_safe
@vary_on_headers("HX-Request")
def live(request: HttpRequest) -> HttpResponse:
    """Live events; htmx gets only the rows, every few seconds. Contents need the permission to read refused events."""
    context = {
        "arrivals": live_tail.arrivals(),
        "refusals": live_tail.refusals(),
        "may_read": request.user.has_perm("events.view_rejected"),
    }
    return render(request, "events/live_rows.html" if is_htmx(request) else "events/live.html", context)
