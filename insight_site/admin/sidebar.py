"""The admin's menu, by task. Unfold's settings name it; an item without its permission isn't shown."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from reporting.words import gettext, later

# By title of the group, its items: title, icon, and a model or a route (`item`).
GROUPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    later("Find what may matter"): (
        (later("Studies"), "search_insights", "aha:studies"),
        (later("AHA moments"), "lightbulb", "aha.ahamoment"),
        (later("Metrics"), "straighten", "events.metric"),
        (later("Past experiments"), "history_edu", "aha.finding"),
        (later("Segments"), "group_work", "segments:list"),
        (later("Names of segments"), "label", "segments.segment"),
    ),
    later("Test whether it is the cause"): (
        (later("Experiments"), "experiment", "experiments.experiment"),
        (later("Rollouts"), "rocket_launch", "experiments.rolloutmove"),
        (later("Layers"), "layers", "experiments.layer"),
        (later("Holdouts"), "shield", "experiments.holdout"),
        (later("Reviews"), "rate_review", "experiments:reviews"),
        (later("Reviews: own checks of the team"), "checklist", "experiments.reviewitem"),
        (later("Templates for plans"), "content_paste", "experiments.plantemplate"),
    ),
    later("Read the reports"): ((later("For analysts"), "analytics", "home"),),
    later("Connect services"): (
        (later("Sources"), "input", "events.source"),
        (later("API keys"), "key", "insight_site.apikey"),
        (later("Webhooks"), "webhook", "experiments.webhookendpoint"),
        (later("Deliveries"), "outgoing_mail", "experiments.webhookdelivery"),
        (later("Refused events"), "report", "events.rejected"),
        (later("Traits of users"), "badge", "events.unittraits"),
        (later("Joined ids"), "join", "events.idlink"),
        (later("API documentation"), "menu_book", "api_docs"),
        (later("Time zone of the site"), "public", "site_zone"),
    ),
    later("Runs and logs"): (
        (later("Log of studies"), "history", "aha.study"),
        (later("Segmentations"), "scatter_plot", "segments.segmentationrun"),
        (later("Churn models"), "logout", "segments.churnrun"),
        (later("Published versions"), "inventory", "segments.segmentversion"),
        (later("Segment membership of users"), "person_search", "segments.membership"),
        (later("Flushes to the store"), "database", "events.flush"),
        (later("Background tasks"), "pending_actions", "runs.job"),
        (later("Schedules"), "schedule", "runs.schedule"),
        (later("Audit log"), "policy", "insight_site.auditentry"),
        (later("Share links"), "link", "insight_site.sharelink"),
    ),
    later("People"): (
        (later("Accounts"), "person", "auth.user"),
        (later("Erased persons"), "person_remove", "insight_site.erasure"),
        (later("Roles"), "groups", "auth.group"),
        (later("Sign-ins"), "login", "insight_site.signin"),
        (later("Channels of notices"), "campaign", "insight_site.noticechannel"),
        (later("Recipients of the digest"), "contact_mail", "insight_site.digestrecipient"),
        (later("Notices"), "notifications", "insight_site.notice"),
    ),
}
NEEDED = {"site_zone": "runs.change_sitezone"}  # permissions of routes that not everybody may open
COLLAPSIBLE = ("Connect services", "Runs and logs")


def may(permission: str) -> Callable[[HttpRequest], bool]:
    """A permission callback for one permission."""
    return lambda request: bool(request.user.has_perm(permission))


def item(title: str, icon: str, to: str) -> dict[str, Any]:
    """One menu item: to a route, or to the admin's list of a model, "app.model", for those who may view it."""
    if "." in to:
        app, model = to.split(".")
        link = reverse(f"admin:{app}_{model}_changelist")
        return {"title": gettext(title), "icon": icon, "link": link, "permission": may(f"{app}.view_{model}")}
    entry: dict[str, Any] = {"title": gettext(title), "icon": icon, "link": reverse(to)}
    if to in NEEDED:
        entry["permission"] = may(NEEDED[to])
    return entry if to.startswith("admin:") else {**entry, "active": _never}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups in the order of the loop: find, test, read, connect, run."""
    home = {"items": [item(later("Home"), "home", "home"), item(later("Administration"), "dashboard", "admin:index")]}
    groups: list[dict[str, Any]] = [home]
    for title, items in GROUPS.items():
        group = {"title": gettext(title), "separator": True, "items": [item(*one) for one in items]}
        groups.append({**group, "collapsible": True} if title in COLLAPSIBLE else group)
    return [group for group in groups if any(_allowed(entry, request) for entry in group["items"])]


def allowed_groups(request: HttpRequest) -> list[dict[str, Any]]:
    """The titled groups with the items that this person may open."""
    titled = [group for group in navigation(request) if "title" in group]
    return [
        {"title": group["title"], "links": [entry for entry in group["items"] if _allowed(entry, request)]}
        for group in titled
    ]


def _allowed(entry: dict[str, Any], request: HttpRequest) -> bool:
    return "permission" not in entry or entry["permission"](request)


def _never(request: HttpRequest) -> bool:
    """Never active: Unfold looks for an item's address inside the current one, and "/segments/" is in many."""
    return False


# The admin's first page: its areas, and a link to the site's first page, which lists what needs attention.


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Callback named in Unfold's settings: shows the menu as a page."""
    context["groups"] = allowed_groups(request)
    return context
