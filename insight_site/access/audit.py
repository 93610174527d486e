"""The log of what people, keys and operators changed: who, what, before, after, when, from where.

It is written by signals of every model except those that machines write (`watched`), within the transaction of the
change. A middleware logs what signals miss: unsafe calls that left no entry, and each download of users' names.
"""

import getpass
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from django.apps import apps
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from simple_history.signals import pre_create_historical_record

from experiments.plan.lifecycle import BY_KEY
from insight_site.access.callers import client_address
from insight_site.models import AuditEntry
from reporting.table import csv_lines

# The current actor: the request that is being answered, or the command that an operator runs.

# These run for the scheduler, a queue or a release; the person's act that caused them is already logged.
NO_PERSONS_ACT = ("migrate", "worker", "runserver", "test", "flush_events", "collectstatic", "makemigrations", "mcp")


@dataclass
class Acting:
    """One request or command; `records` counts the audit entries written for it."""

    request: HttpRequest | None
    command: str = ""
    records: int = field(default=0)

    def who(self) -> tuple[str, str]:
        """Kind of actor (``person``, ``key``, ``command`` or ``stranger``) and name."""
        if self.request is None:
            return "command", self.command
        caller = getattr(self.request, "caller", None)
        if caller is not None:
            return "key", f"{caller.key_name} ({caller.key_prefix}…)"
        user = getattr(self.request, "user", None)
        if user is not None and user.is_authenticated:
            return "person", str(user.get_username())
        return "stranger", ""

    def where(self) -> dict[str, str]:
        """Address, request id and route."""
        if self.request is None:
            return {}
        match = self.request.resolver_match
        tool = getattr(self.request, "agent_tool", "")  # the tool distinguishes an agent's call from a program's
        route = f"{f'agent {tool}: ' if tool else ''}{self.request.method} {match.view_name if match else ''}"
        return {
            "address": client_address(self.request)[:45],
            "request_id": str(structlog.contextvars.get_contextvars().get("request_id", "")),
            "route": route.strip()[:150],
        }


_acting: ContextVar[Acting | None] = ContextVar("acting", default=None)


def now_acting() -> Acting | None:
    """The current actor; None in a worker's task."""
    return _acting.get() or _of_command()


@contextmanager
def acting(one: Acting) -> Iterator[Acting]:
    """Make this the actor of everything written inside the block."""
    token = _acting.set(one)
    try:
        yield one
    finally:
        _acting.reset(token)


def _of_command() -> Acting | None:
    """This process's management command, if a person runs one."""
    if not sys.argv[0].endswith("manage.py") or len(sys.argv) < 2 or sys.argv[1] in NO_PERSONS_ACT:
        return None
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in containers
        name = "?"
    return Acting(None, f"{name}: manage.py {sys.argv[1]}")


# Which models are audited (all except those that machines write), and which values are never logged.

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


# Write the audit log: the one function that creates an entry, and the signals that call it.

Action = AuditEntry.Action
BEFORE = "_audit_before"
NAME_CHARS = 200


def record(
    action: str,
    of: Model | None = None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    what: tuple[str, str] = ("", ""),
) -> None:
    """Write one entry for the current actor; none in a worker, since the request for its task was logged.

    Args:
        action: a value of `AuditEntry.Action`.
        of: the row that it is about.
        before, after: the values that differ, by column; secrets are hidden here.
        what: kind and id, where there is no row.
    """
    actor = now_acting()
    if actor is None:
        return
    kind, name = actor.who()
    label, pk = (of._meta.label, str(of.pk)) if of is not None else what
    AuditEntry.objects.create(
        at=timezone.now(),
        actor_kind=kind,
        actor=name[:NAME_CHARS],
        action=action,
        object_type=label[:100],
        object_id=pk[:100],
        object_name=_name(of),
        before=_values(before or {}),
        after=_values(after or {}),
        **actor.where(),
    )
    actor.records += 1


def connect() -> None:
    """Connect to each watched model: a listener to all models would make each mass deletion read its rows first."""
    for model in watched():
        pre_save.connect(_look_before, sender=model, dispatch_uid="insight_site.audit")
        post_save.connect(_saved, sender=model, dispatch_uid="insight_site.audit")
        post_delete.connect(_deleted, sender=model, dispatch_uid="insight_site.audit")
        for linked in model._meta.local_many_to_many:
            through = getattr(model, linked.name).through
            m2m_changed.connect(_linked, sender=through, dispatch_uid="insight_site.audit")
    pre_create_historical_record.connect(_name_key, dispatch_uid="insight_site.audit")


def _look_before(sender: type[Model], instance: Model, raw: bool = False, **_: Any) -> None:
    """Remember the stored values before a save by an actor."""
    if raw or now_acting() is None or instance._state.adding:
        return
    names = kept(sender)
    stored = sender._base_manager.filter(pk=instance.pk).values(*names).first()
    setattr(instance, BEFORE, stored)


def _saved(sender: type[Model], instance: Model, created: bool, raw: bool = False, **_: Any) -> None:
    if raw or now_acting() is None:
        return
    values = {name: getattr(instance, name) for name in kept(sender)}
    before = instance.__dict__.pop(BEFORE, None)
    if created or before is None:
        record(
            Action.CREATED, instance, after={name: value for name, value in values.items() if value not in (None, "")}
        )
        return
    changed = [name for name, value in values.items() if _recording_plain(value) != _recording_plain(before[name])]
    if changed:
        record(
            Action.CHANGED,
            instance,
            before={name: before[name] for name in changed},
            after={name: values[name] for name in changed},
        )


def _deleted(sender: type[Model], instance: Model, **_: Any) -> None:
    if now_acting() is None:
        return
    values = {name: instance.__dict__.get(name) for name in kept(sender)}
    record(Action.DELETED, instance, before={name: value for name, value in values.items() if value not in (None, "")})


def _linked(sender: type[Model], instance: Model, action: str, model: type[Model], pk_set: Any, **_: Any) -> None:
    """Log changes of many-to-many relations, such as roles of an account or permissions of a role."""
    if now_acting() is None or action not in ("post_add", "pre_remove", "pre_clear") or pk_set == set():
        return
    rows = model._base_manager.filter(pk__in=pk_set) if pk_set is not None else model._base_manager.none()
    names = {sender._meta.object_name or "": [str(row) for row in rows] or "(all)"}
    if action == "post_add":
        record(Action.CHANGED, instance, after=names)
    else:
        record(Action.CHANGED, instance, before=names)


def _name_key(history_instance: Any = None, **_: Any) -> None:
    """Name the key in the change reason: a history row can only refer to a user."""
    actor = now_acting()
    if actor is not None and (who := actor.who())[0] == "key":
        room = history_instance._meta.get_field("history_change_reason").max_length or NAME_CHARS
        tail = f"{BY_KEY}{who[1]}"[:room]
        history_instance.history_change_reason = (history_instance.history_change_reason or "")[
            : room - len(tail)
        ] + tail


def _name(of: Model | None) -> str:
    """The row's text; "" for rows about one user."""
    if of is None or any(HIDDEN.search(field.name) and field.name == "unit" for field in of._meta.fields):
        return ""
    return str(of)[:NAME_CHARS]


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: shown(name, value) for name, value in given.items()}


def _recording_plain(value: Any) -> str:
    """As JSON, so that a datetime equals its text form, and a lazy translation its string."""
    return json.dumps(value, cls=DjangoJSONEncoder, sort_keys=True, default=str) if value is not None else ""


# Middleware around each page and management API call: sets the actor, and logs what signals miss.

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
        "own_zone",
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
        with acting(Acting(request)) as actor:
            response = get_response(request)
            match = request.resolver_match
            if match is None or response.status_code >= FIRST_FAILURE:
                return response
            if request.method in SAFE:
                if match.view_name in DOWNLOADS:
                    record(Action.DOWNLOADED, what=(match.view_name, _arguments(match.kwargs)))
            elif not actor.records and match.view_name not in QUIET and actor.who()[0] != "stranger":
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


# Export of audit entries to other systems, and their retention.

COLUMNS = (
    *("at", "actor_kind", "actor", "action", "object_type", "object_id", "object_name"),
    *("before", "after", "address", "request_id", "route"),
)


def json_lines(rows: Iterable[AuditEntry]) -> Iterator[str]:
    """One JSON object per line."""
    for row in rows:
        yield json.dumps({name: _log_lines_plain(row, name) for name in COLUMNS}, ensure_ascii=False) + "\n"


def as_csv(rows: Iterable[AuditEntry]) -> Iterator[str]:
    """A CSV table; the changed values are a JSON column."""
    return csv_lines(_cells(rows))


def forget_old() -> int:
    """Delete entries older than AUDIT_DAYS; returns how many."""
    if settings.AUDIT_DAYS < 1:
        return 0
    return AuditEntry.objects.filter(at__lt=timezone.now() - timedelta(days=settings.AUDIT_DAYS)).delete()[0]


def _cells(rows: Iterable[AuditEntry]) -> Iterator[list[Any]]:
    yield list(COLUMNS)
    for row in rows:
        values = [_log_lines_plain(row, name) for name in COLUMNS]
        yield [json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value for value in values]


def _log_lines_plain(row: AuditEntry, name: str) -> Any:
    return row.at.isoformat() if name == "at" else getattr(row, name)
