"""Around each call of people and of the management API: who acts, and a record of what no signal sees."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from insight_site.audit.acting import Acting, acting
from insight_site.audit.recording import Action, record
from insight_site.audit.watched import HIDDEN

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
# What leaves the site with names of users, or as a whole report.
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
# They change nothing but what the person sees: languages, previews, forms that are drawn anew.
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
    """Middleware, behind those that know the person and in front of the access rules."""

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
    """Which row; a unit's id is a user's and stays out, and so does what opens something."""
    return ", ".join(str(value) for name, value in kwargs.items() if not HIDDEN.search(name))


def _chosen(request: HttpRequest) -> dict[str, Any]:
    """What was done to which rows of a list in the admin."""
    if not (request.resolver_match and request.resolver_match.view_name.startswith("admin:")):
        return {}
    chosen = [row.replace("\x00", "") for row in request.POST.getlist("_selected_action")[:100]]
    return {"action": request.POST.get("action", "").replace("\x00", ""), "rows": chosen} if chosen else {}
