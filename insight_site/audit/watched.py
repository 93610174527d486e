"""Which models are audited (all except those that machines write), and which values are never logged."""

import re
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db.models import Model

# Written by endpoints, workers and Django itself: no person decides about a row.
BY_MACHINES = frozenset(
    {
        "admin.LogEntry",  # duplicates the other table with less detail
        "auth.Permission",
        "contenttypes.ContentType",
        "sessions.Session",
        # Sign-ins have a log of their own, and these tables hold secrets.
        "insight_site.SignIn",
        "account.EmailAddress",
        "account.EmailConfirmation",
        "mfa.Authenticator",
        "socialaccount.SocialAccount",
        "socialaccount.SocialApp",
        "socialaccount.SocialToken",
        "usersessions.UserSession",
        "insight_site.AuditEntry",
        "insight_site.AudienceMember",
        "insight_site.IdempotentCall",
        "insight_site.Digest",
        "insight_site.DigestMail",
        "insight_site.Lease",
        "insight_site.Notice",
        "insight_site.NoticeChoice",
        "insight_site.Picture",
        "insight_site.Preference",
        "insight_site.PublicKey",
        "insight_site.Snapshot",
        "insight_site.ToldState",
        "insight_site.WriteProbe",
        "experiments.Assignment",
        "experiments.ConfigVersion",
        "experiments.DrawnAs",
        "experiments.FlagAsk",
        "experiments.Prediction",
        "experiments.Registration",
        "experiments.WebhookDelivery",
        "aha.KeptReach",
        "segments.Membership",
        "events.Arrivals",
        "events.CatalogueSnapshot",
        "events.ErasedUser",
        "events.Flush",
        "events.FormerOutboxEvent",
        "events.IdLink",
        "events.KeptVersion",
        "events.MessageId",
        "events.OutboxEvent",
        "events.Rejected",
        "events.UnitTraits",
        "runs.Job",
        "runs.WorkerPulse",
    }
)
# Secrets, and what identifies a user: an erased user must not live on in this log.
HIDDEN = re.compile(r"secret|password|digest|token|pepper|^unit$|^user_id$|^ids$|stored_as")
# Results and models, up to megabytes; their inputs are logged beside them.
NOT_KEPT = frozenset(
    {
        "payload",
        "early",
        "model",
        "fitted",
        "baseline",
        "evidence",
        "profile",
        "pattern",
        "stayed",
        "headline",
        "finding",
    }
)
# State of a run, and time of last use.
NOBODYS = frozenset({"updated_at", "last_used_at", "last_login", "heard_at", "stage", "share"})
VALUE_CHARS = 2_000


def watched() -> Iterator[type[Model]]:
    """The models whose changes are logged."""
    for model in apps.get_models(include_auto_created=True):
        name = model._meta.label
        history = model._meta.object_name.startswith("Historical") if model._meta.object_name else False
        if name not in BY_MACHINES and not history and not model._meta.auto_created:
            yield model


def kept(model: type[Model]) -> list[str]:
    """The names of the columns that an entry may hold."""
    return [
        field.attname
        for field in model._meta.concrete_fields
        if field.name not in NOT_KEPT and field.name not in NOBODYS
    ]


def shown(name: str, value: Any) -> Any:
    """A value as stored in an entry: JSON-compatible, shortened, without secrets."""
    if value in (None, "", [], {}):
        return value
    if HIDDEN.search(name):
        return "(hidden)"
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | dict) and len(str(value)) <= VALUE_CHARS:
        return value
    text = str(value)
    return text if len(text) <= VALUE_CHARS else text[:VALUE_CHARS] + " …"
