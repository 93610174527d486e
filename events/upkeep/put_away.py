"""Archive a thing and restore it. Archived things are hidden from lists and pickers; their pages and results stay."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from events.upkeep.used_by import live_uses
from runs.refusals import Refused

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
