"""The admin's menu, by task. Unfold's settings name it; an item without its permission isn't shown."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _


def may(permission: str) -> Callable[[HttpRequest], bool]:
    """A permission callback for one permission."""
    return lambda request: bool(request.user.has_perm(permission))


def item(title: str, icon: str, route: str, permission: str | None = None) -> dict[str, Any]:
    """One menu item."""
    found: dict[str, Any] = {"title": title, "icon": icon, "link": reverse(route)}
    if not route.startswith("admin:"):
        found["active"] = _never
    return found if permission is None else {**found, "permission": may(permission)}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups in the order of the loop: find, test, read, connect, run."""
    home = {"items": [item(_("Home"), "home", "home"), item(_("Administration"), "dashboard", "admin:index")]}
    groups: list[dict[str, Any]] = [home, _find(), _test(), _read(), _connect(), _logs(), _people()]
    return [group for group in groups if any(_allowed(one, request) for one in group["items"])]


def allowed_groups(request: HttpRequest) -> list[dict[str, Any]]:
    """The titled groups with the items that this person may open."""
    titled = [group for group in navigation(request) if "title" in group]
    return [
        {"title": group["title"], "links": [one for one in group["items"] if _allowed(one, request)]}
        for group in titled
    ]


def _find() -> dict[str, Any]:
    """Menu group: studies, moments and segments."""
    return {
        "title": _("Find what may matter"),
        "separator": True,
        "items": [
            item(_("Studies"), "search_insights", "aha:studies"),
            item(_("AHA moments"), "lightbulb", "admin:aha_ahamoment_changelist", "aha.view_ahamoment"),
            item(_("Metrics"), "straighten", "admin:events_metric_changelist", "events.view_metric"),
            item(_("Past experiments"), "history_edu", "admin:aha_finding_changelist", "aha.view_finding"),
            item(_("Segments"), "group_work", "segments:list"),
            item(_("Names of segments"), "label", "admin:segments_segment_changelist", "segments.view_segment"),
        ],
    }


def _test() -> dict[str, Any]:
    """Menu group: experiments and what belongs to them."""
    return {
        "title": _("Test whether it is the cause"),
        "separator": True,
        "items": [
            item(
                _("Experiments"), "experiment", "admin:experiments_experiment_changelist", "experiments.view_experiment"
            ),
            item(
                _("Rollouts"),
                "rocket_launch",
                "admin:experiments_rolloutmove_changelist",
                "experiments.view_rolloutmove",
            ),
            item(_("Layers"), "layers", "admin:experiments_layer_changelist", "experiments.view_layer"),
            item(_("Holdouts"), "shield", "admin:experiments_holdout_changelist", "experiments.view_holdout"),
            item(_("Reviews"), "rate_review", "experiments:reviews"),
            item(
                _("Own checks of reviews"),
                "checklist",
                "admin:experiments_reviewitem_changelist",
                "experiments.view_reviewitem",
            ),
            item(
                _("Templates for plans"),
                "content_paste",
                "admin:experiments_plantemplate_changelist",
                "experiments.view_plantemplate",
            ),
        ],
    }


def _read() -> dict[str, Any]:
    """Menu group: reports, for those who only read."""
    return {"title": _("Read the reports"), "separator": True, "items": [item(_("For analysts"), "analytics", "home")]}


def _connect() -> dict[str, Any]:
    """Menu group: what services need: sources, keys, webhooks."""
    return {
        "title": _("Connect services"),
        "separator": True,
        "collapsible": True,
        "items": [
            item(_("Sources"), "input", "admin:events_source_changelist", "events.view_source"),
            item(_("API keys"), "key", "admin:insight_site_apikey_changelist", "insight_site.view_apikey"),
            item(
                _("Webhooks"),
                "webhook",
                "admin:experiments_webhookendpoint_changelist",
                "experiments.view_webhookendpoint",
            ),
            item(
                _("Deliveries"),
                "outgoing_mail",
                "admin:experiments_webhookdelivery_changelist",
                "experiments.view_webhookdelivery",
            ),
            item(_("Refused events"), "report", "admin:events_rejected_changelist", "events.view_rejected"),
            item(_("Traits of users"), "badge", "admin:events_unittraits_changelist", "events.view_unittraits"),
            item(_("Joined ids"), "join", "admin:events_idlink_changelist", "events.view_idlink"),
            item(_("API documentation"), "menu_book", "api_docs"),
        ],
    }


def _logs() -> dict[str, Any]:
    """Menu group: logs of runs and of incoming data."""
    return {
        "title": _("Runs and logs"),
        "separator": True,
        "collapsible": True,
        "items": [
            item(_("Log of studies"), "history", "admin:aha_study_changelist", "aha.view_study"),
            item(
                _("Segmentations"),
                "scatter_plot",
                "admin:segments_segmentationrun_changelist",
                "segments.view_segmentationrun",
            ),
            item(_("Models of leaving"), "logout", "admin:segments_churnrun_changelist", "segments.view_churnrun"),
            item(
                _("Published versions"),
                "inventory",
                "admin:segments_segmentversion_changelist",
                "segments.view_segmentversion",
            ),
            item(
                _("Where a user belongs"),
                "person_search",
                "admin:segments_membership_changelist",
                "segments.view_membership",
            ),
            item(_("Flushes to the store"), "database", "admin:events_flush_changelist", "events.view_flush"),
            item(_("Background tasks"), "pending_actions", "admin:runs_job_changelist", "runs.view_job"),
            item(_("Schedules"), "schedule", "admin:runs_schedule_changelist", "runs.view_schedule"),
            item(_("Audit log"), "policy", "admin:insight_site_auditentry_changelist", "insight_site.view_auditentry"),
            item(_("Share links"), "link", "admin:insight_site_sharelink_changelist", "insight_site.view_sharelink"),
        ],
    }


def _people() -> dict[str, Any]:
    """Menu group: accounts, roles and notices."""
    return {
        "title": _("People"),
        "separator": True,
        "items": [
            item(_("Accounts"), "person", "admin:auth_user_changelist", "auth.view_user"),
            item(
                _("Erased persons"),
                "person_remove",
                "admin:insight_site_erasure_changelist",
                "insight_site.view_erasure",
            ),
            item(_("Roles"), "groups", "admin:auth_group_changelist", "auth.view_group"),
            item(_("Sign-ins"), "login", "admin:insight_site_signin_changelist", "insight_site.view_signin"),
            item(
                _("Channels of notices"),
                "campaign",
                "admin:insight_site_noticechannel_changelist",
                "insight_site.view_noticechannel",
            ),
            item(
                _("Recipients of the digest"),
                "contact_mail",
                "admin:insight_site_digestrecipient_changelist",
                "insight_site.view_digestrecipient",
            ),
            item(_("Notices"), "notifications", "admin:insight_site_notice_changelist", "insight_site.view_notice"),
        ],
    }


def _allowed(one: dict[str, Any], request: HttpRequest) -> bool:
    return "permission" not in one or one["permission"](request)


def _never(request: HttpRequest) -> bool:
    """Never active: Unfold looks for an item's address inside the current one, and "/segments/" is in many."""
    return False
