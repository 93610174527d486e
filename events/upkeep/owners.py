"""Ownership of things: the creator owns a thing until somebody else takes it over."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model, Q, QuerySet

from events.upkeep.thing_kinds import ThingKind
from runs.refusals import Refused

OWNERS = ("owner", "created_by")  # to join for `owner_of`


def owner_of(thing: Model) -> User | None:
    """The owner; None if unknown, for example if a key created it."""
    row: Any = thing
    owner: User | None = row.owner or row.created_by
    return owner


def owner_name(kind: ThingKind, thing: Model) -> str:
    """The name of the owner's account, or ""."""
    if kind.owner_text:
        return str(getattr(thing, kind.owner_text))
    owner = owner_of(thing)
    return "" if owner is None else owner.get_username()


def with_owner(kind: ThingKind, rows: QuerySet[Any]) -> QuerySet[Any]:
    """The same rows, joined with what `owner_name` reads."""
    return rows if kind.owner_text else rows.select_related(*OWNERS)


def owned_by(user: User) -> Q:
    """The filter for things owned by a person."""
    return Q(owner=user) | Q(owner__isnull=True, created_by=user)


def set_owner(*, thing: Model, owner: User) -> None:
    """Change the owner. It is recorded in the log of changes, and makes no new version of a plan.

    Raises:
        Refused: that account is deactivated.
    """
    if not owner.is_active:
        raise Refused(
            "The account {name} is deactivated: it can't own anything.", at="owner", name=owner.get_username()
        )
    with transaction.atomic():
        row: Any = type(thing)._default_manager.select_for_update().get(pk=thing.pk)
        row.owner = owner
        row.skip_history_when_saving = True
        row.save(update_fields=["owner"])
    thing.owner = owner  # type: ignore[attr-defined]
