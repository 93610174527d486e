"""Who may do what: four roles as Django groups. One table; the migration writes it, docs/roles.md explains it."""

from typing import Any

from django.apps import apps as installed

READ = ("view",)
WRITE = ("view", "add", "change")
ALL = ("view", "add", "change", "delete")

EVERYBODY: dict[str, tuple[str, ...]] = {
    "aha.study": READ, "aha.ahamoment": READ,
    "segments.segmentationrun": READ, "segments.segmentmodel": READ, "segments.segmentversion": READ,
    "segments.segment": READ, "segments.churnrun": READ, "segments.comparisonrun": READ,
    "experiments.experiment": READ, "experiments.variant": READ, "experiments.audiencerow": READ,
    "experiments.override": READ, "experiments.amendment": READ, "experiments.layer": READ,
    "experiments.holdout": READ, "experiments.analysis": READ, "events.source": READ,
}  # fmt: skip
# Ask the data: studies, segmentations, models of leaving, analyses; and publish what was found.
RESEARCH: dict[str, tuple[str, ...]] = {
    "aha.study": WRITE, "aha.ahamoment": WRITE,
    "segments.segmentationrun": WRITE, "segments.segmentmodel": WRITE, "segments.segmentversion": WRITE,
    "segments.segment": WRITE, "segments.churnrun": WRITE, "segments.comparisonrun": WRITE,
    "segments.membership": READ, "experiments.analysis": ("view", "add"),
    "insight_site.sharelink": ("view", "add"),
}  # fmt: skip
# Change what users get.
TEST: dict[str, tuple[str, ...]] = {
    "experiments.experiment": WRITE, "experiments.variant": ALL, "experiments.audiencerow": ALL,
    "experiments.override": ALL, "experiments.layer": WRITE, "experiments.assignment": READ,
}  # fmt: skip
# Connect services: where events come from, keys, webhooks, what was refused, and an arm for a tester.
CONNECT: dict[str, tuple[str, ...]] = {
    "events.source": WRITE, "events.rejected": READ, "events.unittraits": READ, "events.flush": READ,
    "insight_site.apikey": WRITE, "experiments.webhookendpoint": WRITE,
    "experiments.webhookdelivery": ("view", "change"), "experiments.override": ALL, "experiments.assignment": READ,
}  # fmt: skip
PEOPLE: dict[str, tuple[str, ...]] = {
    "insight_site.sharelink": ALL,
    "auth.user": ALL, "auth.group": ("view",), "experiments.holdout": WRITE, "experiments.layer": ALL,
    "events.rejected": ALL, "experiments.webhookendpoint": ALL,
    "django_q.schedule": READ, "django_q.success": READ, "django_q.failure": READ,
}  # fmt: skip
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


def grant(apps: Any, using: str = "default") -> None:
    """Make the groups and give each what the table says; what a person added by hand stays.

    On a fresh database Django makes permissions only after the last migration, so missing ones are made here; Django
    later finds them and makes no second ones.

    Args:
        apps: the registry of a migration, or Django's own.
        using: alias of the database.
    """
    kinds = apps.get_model("contenttypes", "ContentType").objects.using(using)
    stored = apps.get_model("auth", "Permission").objects.using(using)
    groups = apps.get_model("auth", "Group").objects.using(using)
    for role in ROLES:
        group, _new = groups.get_or_create(name=role)
        for app, model, action in sorted(permissions(role)):
            kind, _new = kinds.get_or_create(app_label=app, model=model)
            permission, _new = stored.get_or_create(
                content_type=kind, codename=f"{action}_{model}", defaults={"name": f"Can {action} {_name(app, model)}"}
            )
            group.permissions.add(permission)


def _name(app: str, model: str) -> str:
    """As Django writes it; a model that comes later has its plain name until then."""
    try:
        return str(installed.get_model(app, model)._meta.verbose_name_raw)
    except LookupError:
        return model
