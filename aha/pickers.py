"""AHA moments by search as you type."""

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _

from aha.models import AhaMoment
from events.pickers.inputs import Combobox
from events.pickers.sources import MOST, Choice


def moments(typed: str, _of: str) -> list[Choice]:
    """Moments, the newest first, those that hold the typed text in key, name or behaviour."""
    wanted = Q(key__icontains=typed) | Q(name__icontains=typed) | Q(behaviour__icontains=typed)
    rows = AhaMoment.objects.light().filter(wanted, archived_at=None)[:MOST]
    return [Choice(row.key, str(row), str(row.get_status_display())) for row in rows]


class MomentField(forms.CharField):
    """The key of an AHA moment."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 60, "widget": Combobox("moment"), **options})

    def clean(self, value: Any) -> str:
        key: str = super().clean(value)
        if key and not AhaMoment.objects.filter(key=key).exists():
            raise forms.ValidationError(_("There is no AHA moment “%(key)s”.") % {"key": key})
        return key
