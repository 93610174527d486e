"""Middleware around each page and management API call: sets the actor, and logs what signals miss."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from insight_site.audit.acting import Acting, acting
from insight_site.audit.recording import Action, record
from insight_site.audit.watched import HIDDEN

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
# Downloads with names of users, or of a whole report.
DOWNLOADS = frozenset(
    {
        "segments:members",
        "segments_members:members",
        "segments_members:unit",
        "identity_api:ids",
        "experiments_api:experiment-assignments",
        "events:import_refused",
        "experiments:plan_export",
        "takeaway",
    }
)
# These change only what the person sees (language, previews, redrawn forms), or have their own log.
QUIET = frozenset(
    {
        "set_language",
        "set_theme",
        "dismiss_tour",
        "login",
        "logout",
        "admin:login",
        "admin:logout",
        "pick:chips",
        "pick:definition",
        "pick:preview",
        "pick:rate",
        "pick:options",
        "segments:foretell_run",
        "segments:rule_builder",
        "segments:preview_rule",
        "aha:preview_study",
        "experiments:plan_outlook",
        "experiments:plan_search",
        "experiments:plan_numbers",
        "experiments_api:experiment-power",
        "events:import_piece",
    }
)
FIRST_FAILURE = 400


def audit(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: after those that identify the person, before the access rules."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with acting(Acting(request)) as one:
            response = get_response(request)
            match = request.resolver_match
            if match is None or response.status_code >= FIRST_FAILURE:
                return response
            if request.method in SAFE:
                if match.view_name in DOWNLOADS:
                    record(Action.DOWNLOADED, what=(match.view_name, _arguments(match.kwargs)))
            elif not one.records and match.view_name not in QUIET and one.who()[0] != "stranger":
                record(Action.ASKED, what=(match.view_name, _arguments(match.kwargs)), after=_chosen(request))
        return response

    return middleware


def _arguments(kwargs: dict[str, Any]) -> str:
    """The row's arguments, without unit ids (which identify users) and without tokens."""
    return ", ".join(str(value) for name, value in kwargs.items() if not HIDDEN.search(name))


def _chosen(request: HttpRequest) -> dict[str, Any]:
    """The admin action and the rows that it was applied to."""
    if not (request.resolver_match and request.resolver_match.view_name.startswith("admin:")):
        return {}
    chosen = [row.replace("\x00", "") for row in request.POST.getlist("_selected_action")[:100]]
    return {"action": request.POST.get("action", "").replace("\x00", ""), "rows": chosen} if chosen else {}
