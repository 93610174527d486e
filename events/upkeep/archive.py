"""Archive a thing unless something runs with it (`thing_uses` in `apps.py`), and take it back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.module_loading import import_string

from events.upkeep.thing_kinds import kind_of
from runs.refusals import Refused

# Running things that use a thing, so that it can't be archived: apps list functions (`thing_uses` in `apps.py`).


@dataclass(frozen=True)
class UsedBy:
    """Something that runs now and needs a thing.

    Attributes:
        kind: of the thing that is used, as `ThingKind.slug`.
        key: the thing's key, or its number as text where it has none.
        by: what uses it, as a sentence names it.
    """

    kind: str
    key: str
    by: str


def all_uses() -> Iterator[UsedBy]:
    """The uses reported by all apps."""
    for app in apps.get_app_configs():
        for name in getattr(app, "thing_uses", ()):
            yield from import_string(name)()


def live_uses(thing: Model) -> list[str]:
    """Names of what is running and uses a thing."""
    kind, key = kind_of(thing).slug, key_of(thing)
    return [use.by for use in all_uses() if (use.kind, use.key) == (kind, key)]


def key_of(thing: Model) -> str:
    """The key under which uses refer to a thing."""
    return str(getattr(thing, "key", thing.pk))


# Archive a thing and restore it. Archived things are hidden from lists and pickers; their pages and results stay.

NAMED = 3  # uses that a refusal names


def archive[Thing: Model](*, thing: Thing, by: User | None = None) -> Thing:
    """Archive a thing; an archived one stays as it is.

    Raises:
        Refused: it is being computed, or something that runs depends on it; the sentence says what.
    """
    with transaction.atomic():
        row: Any = type(thing)._default_manager.select_for_update().get(pk=thing.pk)
        if row.archived_at is not None:
            return row  # type: ignore[no-any-return]
        if getattr(row, "is_open", False):
            raise Refused("It is still being computed. Cancel it or wait for its end, then archive it.")
        if users := live_uses(row):
            named = ", ".join(users[:NAMED]) + (" …" if len(users) > NAMED else "")
            raise Refused("It is in use, so it can't be archived: {users}.", users=named)
        row.archived_at = timezone.now()
        _save(row, by, "archived")
    return row  # type: ignore[no-any-return]


def restore[Thing: Model](*, thing: Thing, by: User | None = None) -> Thing:
    """Restore a thing to lists and pickers."""
    with transaction.atomic():
        row: Any = type(thing)._default_manager.select_for_update().get(pk=thing.pk)
        if row.archived_at is not None:
            row.archived_at = None
            _save(row, by, "restored")
    return row  # type: ignore[no-any-return]


def _save(row: Any, by: User | None, why: str) -> None:
    row._history_user = by
    row._change_reason = why
    row.save(update_fields=["archived_at"])
