"""Options of the picker of published segments and segment models (search as you type)."""

import difflib
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from events.metrics.levels import LEVELS
from events.metrics.sentences import level_name
from events.pickers.fields import Combobox
from events.pickers.quick_fixes import Mendable, QuickFix
from events.pickers.sources import Choice
from reporting.numbers import count
from segments.published import levels
from segments.published.members import models_with_current


def segments(typed: str, _of: str) -> list[Choice]:
    """Current segments and models whose key or name contains the typed text, without archived ones."""
    wanted = typed.casefold()
    rows = _choices(models_with_current().filter(archived_at=None))
    return [choice for choice in rows if wanted in f"{choice.value} {choice.title}".casefold()]


def models_with_levels(typed: str, _of: str) -> list[Choice]:
    """Segmentations by play pattern whose key or name contains the typed text, with their newest version."""
    wanted = typed.casefold()
    rows = levels.models_with_levels()
    return [
        Choice(f"{key}@{number}", name, _("version %(number)s") % {"number": number})
        for key, name, number in rows
        if wanted in f"{key}@{number} {name}".casefold()
    ]


def _choices(models: Any) -> list[Choice]:
    choices: list[Choice] = []
    for model in models:
        for version in model.current_versions:
            rows = list(version.segments.all())
            if version.rule is None and len(rows) > 1:
                choices.append(Choice(model.key, str(model), _("its %(n)s segments side by side") % {"n": len(rows)}))
            choices += [Choice(row.key, str(row), _units_note(row.size, str(model))) for row in rows]
    return choices


class SegmentField(forms.CharField):
    """The key of a published segment, or of a segment model."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 60, "required": False, "widget": Combobox("segment"), **options})

    def clean(self, value: Any) -> str:
        key: str = super().clean(value)
        known = [choice.value for choice in _choices(models_with_current())] if key else []
        if key and key not in known:
            raise _unknown(key, known)
        return key


class LevelField(forms.CharField):
    """A level of a published segmentation: ``MODEL@2:mid``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 200, "required": False, "widget": Combobox("level"), **options})


def each_level(typed: str, of: str) -> list[Choice]:
    """The levels of segmentations by play pattern, whose key, name or level contains the typed text."""
    wanted = typed.casefold()
    rows = [
        Choice(f"{one.value}:{level}", _("%(level)s of %(model)s") % {"level": level_name(level), "model": one.title})
        for one in models_with_levels("", of)
        for level in LEVELS
    ]
    return [choice for choice in rows if wanted in f"{choice.value} {choice.title}".casefold()]


def _unknown(key: str, known: list[str]) -> Mendable:
    everyone = QuickFix("", _("Take all users"))
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        text = _("There is no segment “%(key)s”. Did you mean %(nearest)s?") % {"key": key, "nearest": near[0]}
        return Mendable(text, QuickFix(near[0], _("Use %(name)s") % {"name": near[0]}), everyone)
    return Mendable(_("There is no segment “%(key)s”.") % {"key": key}, everyone)


def _units_note(size: int, model: str) -> str:
    return _("%(n)s users · %(model)s") % {"n": count(size), "model": model}
