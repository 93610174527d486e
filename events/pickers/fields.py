"""Form fields for events, properties, behaviours, retention and outcomes. Each also accepts typed text.

An unknown name is reported beside the field, with the nearest known name as a button.
"""

from collections.abc import Callable
from typing import Any

from django import forms

from events.metrics import Metric, parse_behaviour
from events.metrics.line import LONGEST_LINE
from events.pickers.definition_parts import JUDGED_KINDS, METRIC_KINDS, Parts, definition_of
from events.pickers.inputs import Combobox
from events.pickers.known_names import unknown_behaviour, unknown_event, unknown_in_definition
from events.pickers.mends import Mendable
from events.pickers.people_words import read_definition, read_retention
from events.pickers.widgets import Builder, Chips
from runs.refusals import Refused

LONGEST = 400  # of a behaviour or a retention: the maximum that moments store


class EventField(forms.CharField):
    """The name of an event that the log has.

    Args:
        any_event: ``*``, each user's first event of any kind, is also offered and accepted.
    """

    def __init__(self, *, any_event: bool = False, **options: Any) -> None:
        self.any_event = any_event
        super().__init__(**{"max_length": 256, "widget": Combobox("start" if any_event else "event"), **options})

    def clean(self, value: Any) -> str:
        name: str = super().clean(value)
        if name and not (self.any_event and name == "*"):
            _raise(unknown_event(name))
        return name


class BehaviourField(forms.CharField):
    """One behaviour: EVENT, EVENT[property=value] or EVENT#property."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": LONGEST, "widget": Combobox("behaviour"), **options})

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if text:
            _raise(_wrong_behaviour(text))
        return text


class BehavioursField(forms.CharField):
    """Many behaviours, one per line; cleaned to a tuple of their texts without repeats."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "widget": Chips("behaviour"), **options})

    def clean(self, value: Any) -> Any:
        text = "\n".join(value) if isinstance(value, list | tuple) else value
        lines = list(dict.fromkeys(line.strip() for line in str(super().clean(text)).splitlines() if line.strip()))
        for place, line in enumerate(lines):

            def whole(right: str, place: int = place) -> str:
                return "\n".join(filter(None, [*lines[:place], right, *lines[place + 1 :]]))

            _raise(_wrong_behaviour(line, whole))
        return tuple(lines)


class RetentionField(forms.CharField):
    """A retention in words, presets and one line; cleaned to its specification.

    Args:
        kinds: the kinds offered: `JUDGED_KINDS` or `RETENTION_KINDS` of `events.pickers.definition_parts`.
        rate: show base rate, eligible users and curve; they read the form's signup event, dates and kind of days.
    """

    read: Callable[[str], Metric] = staticmethod(read_retention)

    def __init__(self, *, kinds: tuple[str, ...] = JUDGED_KINDS, rate: bool = True, **options: Any) -> None:
        super().__init__(**{"max_length": LONGEST, "widget": Builder(kinds, rate=rate), **options})

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, Parts) else super().to_python(value)

    def run_validators(self, value: Any) -> None:
        if not isinstance(value, Parts):
            super().run_validators(value)

    def clean(self, value: Any) -> str:
        found = super().clean(value)
        if not found:
            return ""
        try:
            definition = definition_of(found) if isinstance(found, Parts) else self.read(found)
        except Refused as refusal:
            raise forms.ValidationError(refusal.sentence) from None
        _raise(unknown_in_definition(definition))
        return str(definition)


class MetricField(RetentionField):
    """An outcome of any kind in words and one line; cleaned to its specification."""

    read = staticmethod(read_definition)

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"kinds": METRIC_KINDS, "rate": False, "max_length": LONGEST_LINE, **options})


def _wrong_behaviour(text: str, whole: Callable[[str], str] = str) -> Mendable | None:
    try:
        return unknown_behaviour(parse_behaviour(text), whole)
    except Refused as refusal:
        return Mendable(refusal.sentence)


def _raise(error: Mendable | None) -> None:
    if error is not None:
        raise error
