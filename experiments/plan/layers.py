"""Layers and holdouts. Their keys are seeds of draws, so a key or share never changes: that would move units."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from experiments.models import Holdout, Layer
from experiments.plan.mistakes import KEY
from experiments.plan.record import WHOLE
from runs.refusals import Refused


def create_layer(*, key: str, name: str = "") -> Layer:
    """Create a layer, of which experiments take slices.

    Raises:
        Refused: a key that exists or is invalid.
    """
    return _created(Layer(key=key, name=name))


def create_holdout(*, key: str, share: int, active: bool = True) -> Holdout:
    """Create a holdout: units that no experiment enrols that is drafted while the holdout is active.

    Args:
        key: its name.
        share: in steps of 0.01 %.
        active: new drafts use it; only one can be active.

    Raises:
        Refused: a key that exists or is invalid, or a share outside 0 to 100 %.
    """
    if not 0 < share < WHOLE:
        raise Refused("The share of a holdout lies between 0 and 100%.")
    with transaction.atomic():
        row = _created(Holdout(key=key, share=share, active=False))
        return set_active(holdout=row, active=active)


def set_active(*, holdout: Holdout, active: bool) -> Holdout:
    """Make new drafts use this holdout instead of another, or none. Existing experiments don't change."""
    with transaction.atomic():
        rows = {row.pk: row for row in Holdout.objects.select_for_update()}
        for row in rows.values():
            wanted = active if row.pk == holdout.pk else row.active and not active
            if row.active != wanted:
                row.active = wanted
                row.save(update_fields=["active"])
    return rows[holdout.pk]


def _created[Row: Any](row: Row) -> Row:
    if not KEY.fullmatch(row.key):
        raise Refused(
            "'{key}' is no key: 1 to 128 letters, digits, dots, dashes, underscores; the first a letter or digit.",
            key=row.key,
        )
    try:
        row.full_clean()
    except ValidationError as error:
        sentences = " ".join(error.messages)
        raise Refused(sentences) from None
    row.save()
    return row
