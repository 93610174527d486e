"""Roles: four Django groups with their permissions. One table; each migrate writes it, docs/roles.md explains it."""

from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.db import DEFAULT_DB_ALIAS

READ = ("view",)
WRITE = ("view", "add", "change")
ALL = ("view", "add", "change", "delete")

EVERYBODY: dict[str, tuple[str, ...]] = {
    "aha.study": READ,
    "aha.ahamoment": READ,
    "aha.finding": READ,
    "segments.segmentationrun": READ,
    "segments.segmentmodel": READ,
    "segments.segmentversion": READ,
    "segments.segment": READ,
    "segments.churnrun": READ,
    "segments.comparisonrun": READ,
    "experiments.experiment": READ,
    "experiments.variant": READ,
    "experiments.audiencerow": READ,
    "experiments.override": READ,
    "experiments.amendment": READ,
    "experiments.rollout": READ,
    "experiments.rolloutmove": READ,
    "experiments.plancomment": WRITE,  # anyone who reads a plan may comment on it and resolve comments
    "experiments.reviewpolicy": READ,
    "experiments.reviewitem": READ,
    "experiments.reviewrequest": READ,
    "experiments.reviewanswer": READ,
    "experiments.reviewtick": READ,
    "experiments.plantemplate": READ,
    "experiments.templateuse": READ,
    "experiments.layer": READ,
    "experiments.holdout": READ,
    "experiments.analysis": READ,
    "experiments.holdoutplan": READ,
    "experiments.holdoutreading": READ,
    "experiments.overlapreport": READ,
    "experiments.finishedtest": READ,
    "events.source": READ,
    "events.fileimport": READ,
    "events.eventlabel": READ,
    "events.metric": READ,
    "events.metricversion": READ,
    "events.metriccheck": READ,
    "events.calendarentry": READ,
    "launches.launch": READ,
    "launches.launchreading": READ,
    "launches.balancerun": READ,
    "launches.growthforecast": READ,
    "insight_site.selftest": READ,
    "aha.savedview": ALL,  # rename and delete only the own
    "insight_site.board": ALL,  # as well; cards of a team's board are everybody's
    "events.tag": READ,  # anyone who may change a thing may tag it, also with new tags
}
# Run computations: studies, segmentations, churn models, analyses; and publish the results.
RESEARCH: dict[str, tuple[str, ...]] = {
    "aha.study": WRITE,
    "aha.ahamoment": WRITE,
    "segments.segmentationrun": WRITE,
    "segments.segmentmodel": WRITE,
    "segments.segmentversion": WRITE,
    "segments.segment": WRITE,
    "segments.churnrun": WRITE,
    "segments.comparisonrun": WRITE,
    "segments.membership": READ,
    "experiments.analysis": ("view", "add"),
    "experiments.holdoutplan": ("view", "add"),
    "experiments.holdoutreading": ("view", "add"),
    "experiments.overlapreport": ("view", "add"),
    "experiments.finishedtest": ("view", "add"),
    "aha.finding": ("view", "add"),  # add a judged test to past experiments
    "insight_site.sharelink": ("view", "add"),
    "events.fileimport": ("view", "add"),
    "events.eventlabel": WRITE,
    "insight_site.audience": ALL,
    "events.metric": WRITE,
    "events.calendarentry": ALL,
    "events.metriccheck": ("view", "add"),
    "launches.launch": WRITE,
    "launches.launchreading": ("view", "add"),
    "launches.balancerun": ("view", "add", "change"),
    "launches.growthforecast": ("view", "add"),
    "insight_site.selftest": ("view", "add"),
}
# Change what users get.
TEST: dict[str, tuple[str, ...]] = {
    "experiments.experiment": WRITE,
    "experiments.variant": ALL,
    "experiments.audiencerow": ALL,
    "experiments.override": ALL,
    "experiments.layer": WRITE,
    "experiments.assignment": READ,
    "experiments.reviewrequest": WRITE,
    "experiments.reviewanswer": ("view", "add"),  # may approve a plan, though never one of their own
    "experiments.reviewtick": ALL,
    "experiments.reviewitem": WRITE,
    "experiments.plantemplate": WRITE,
    "events.tag": ALL,  # rename, merge and delete tags, for everything that has one
}
# Connect services: event sources, keys, webhooks, rejected events, and forcing an arm for a tester.
CONNECT: dict[str, tuple[str, ...]] = {
    "events.source": WRITE,
    "events.fileimport": ("view", "add"),
    "events.rejected": READ,
    "events.unittraits": READ,
    "events.idlink": READ,
    "events.flush": READ,
    "insight_site.apikey": WRITE,
    "events.calendarentry": ALL,  # who releases writes it down
    "experiments.webhookendpoint": WRITE,
    "experiments.webhookdelivery": ("view", "change"),
    "experiments.override": ALL,
    "experiments.assignment": READ,
}
PEOPLE: dict[str, tuple[str, ...]] = {
    "insight_site.sharelink": ALL,
    "insight_site.auditentry": READ,
    "insight_site.noticechannel": ALL,
    "insight_site.digestrecipient": ALL,
    "insight_site.notice": ("view", "change"),
    "insight_site.signin": READ,
    "auth.user": ALL,
    "auth.group": ("view",),
    "experiments.holdout": WRITE,
    "experiments.reviewpolicy": ("view", "change"),
    "experiments.reviewrequest": ("view", "skip"),  # start without a review, in an emergency
    "experiments.layer": ALL,
    "events.rejected": ALL,
    "experiments.webhookendpoint": ALL,
    "insight_site.erasure": ("view", "add", "export"),
    "runs.schedule": READ,
    "runs.sitezone": ("view", "change"),
    "runs.job": READ,
}
ROLES: dict[str, tuple[dict[str, tuple[str, ...]], ...]] = {
    "Analyst": (EVERYBODY, RESEARCH),
    "PM": (EVERYBODY, RESEARCH, TEST),
    "Service owner": (EVERYBODY, CONNECT),
    "Admin": (EVERYBODY, RESEARCH, TEST, CONNECT, PEOPLE),
}


def permissions(role: str) -> set[tuple[str, str, str]]:
    """Every (app, model, action) that a role holds."""
    return {
        (*model.split("."), action)  # type: ignore[misc]
        for table in ROLES[role]
        for model, actions in table.items()
        for action in actions
    }


def grant(app_config: AppConfig, using: str = DEFAULT_DB_ALIAS, apps: Any = installed, **_: Any) -> None:
    """After each migrate, app by app: create the groups and grant them this app's permissions from the table.

    Connected after Django's own receiver, which creates the permissions. Permissions that a person added to a group
    stay; permissions that a person removed come back.
    """
    try:
        groups = apps.get_model("auth", "Group").objects.using(using)
        stored = apps.get_model("auth", "Permission").objects.using(using)
    except LookupError:  # only some apps were migrated, and the tables don't exist yet
        return
    for role in ROLES:
        codes = [f"{action}_{model}" for app, model, action in permissions(role) if app == app_config.label]
        if codes:
            group, _new = groups.get_or_create(name=role)
            group.permissions.add(*stored.filter(content_type__app_label=app_config.label, codename__in=codes))
