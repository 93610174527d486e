"""The last events as they come, and what was refused and why."""

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
    """The tail; htmx gets the rows alone, every few seconds. What was sent is for those who may read refused events."""
    context = {
        "arrivals": live_tail.arrivals(),
        "refusals": live_tail.refusals(),
        "may_read": request.user.has_perm("events.view_rejected"),
    }
    return render(request, "events/live_rows.html" if is_htmx(request) else "events/live.html", context)
