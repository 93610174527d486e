"""Write the audit log: the one function that creates an entry, and the signals that call it."""

import json
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.utils import timezone
from simple_history.signals import pre_create_historical_record

from experiments.plan.lifecycle import BY_KEY
from insight_site.audit import watched
from insight_site.audit.acting import now_acting
from insight_site.models import AuditEntry

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
    one = now_acting()
    if one is None:
        return
    kind, name = one.who()
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
        **one.where(),
    )
    one.records += 1


def connect() -> None:
    """Connect to each watched model: a listener to all models would make each mass deletion read its rows first."""
    for model in watched.watched():
        pre_save.connect(_look_before, sender=model, dispatch_uid="insight_site.audit")
        post_save.connect(_saved, sender=model, dispatch_uid="insight_site.audit")
        post_delete.connect(_deleted, sender=model, dispatch_uid="insight_site.audit")
        for field in model._meta.local_many_to_many:
            through = getattr(model, field.name).through
            m2m_changed.connect(_linked, sender=through, dispatch_uid="insight_site.audit")
    pre_create_historical_record.connect(_name_key, dispatch_uid="insight_site.audit")


def _look_before(sender: type[Model], instance: Model, raw: bool = False, **_: Any) -> None:
    """Remember the stored values before a save by an actor."""
    if raw or now_acting() is None or instance._state.adding:
        return
    names = watched.kept(sender)
    stored = sender._base_manager.filter(pk=instance.pk).values(*names).first()
    setattr(instance, BEFORE, stored)


def _saved(sender: type[Model], instance: Model, created: bool, raw: bool = False, **_: Any) -> None:
    if raw or now_acting() is None:
        return
    values = {name: getattr(instance, name) for name in watched.kept(sender)}
    before = instance.__dict__.pop(BEFORE, None)
    if created or before is None:
        record(
            Action.CREATED, instance, after={name: value for name, value in values.items() if value not in (None, "")}
        )
        return
    changed = [name for name, value in values.items() if _plain(value) != _plain(before[name])]
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
    values = {name: instance.__dict__.get(name) for name in watched.kept(sender)}
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
    one = now_acting()
    if one is not None and (who := one.who())[0] == "key":
        room = history_instance._meta.get_field("history_change_reason").max_length or NAME_CHARS
        tail = f"{BY_KEY}{who[1]}"[:room]
        history_instance.history_change_reason = (history_instance.history_change_reason or "")[
            : room - len(tail)
        ] + tail


def _name(of: Model | None) -> str:
    """The row's text; "" for rows about one user."""
    if of is None or any(watched.HIDDEN.search(field.name) and field.name == "unit" for field in of._meta.fields):
        return ""
    return str(of)[:NAME_CHARS]


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: watched.shown(name, value) for name, value in given.items()}


def _plain(value: Any) -> str:
    """As JSON, so that a datetime equals its text form, and a lazy translation its string."""
    return json.dumps(value, cls=DjangoJSONEncoder, sort_keys=True, default=str) if value is not None else ""
