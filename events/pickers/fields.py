"""Form fields that pick events, properties, behaviours, retention and outcomes, and what they look like."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from events.metrics import IS_SQL, LONGEST_LINE, Metric, metric_lines, parse_behaviour
from events.metrics.sentences import sentence
from events.pickers.definition_parts import (
    JUDGED_KINDS,
    METRIC_KINDS,
    PRESETS,
    RETENTION_KINDS,
    Parts,
    definition_of,
    kind_words,
    parts_of,
    read_definition,
    read_retention,
)
from events.pickers.known_names import chips_of, metric_title, unknown_behaviour, unknown_event, unknown_in_definition
from events.pickers.quick_fixes import Mendable
from runs.refusals import Refused

# Inputs for the parts of a definition, placed in a sentence in the word order of the reader's language.

LARGEST = 365


class Drawn(forms.TextInput):
    """A widget whose template is with all others, in `templates/`."""

    class Media:
        css = {"all": ["insight_site/pickers.css"]}
        js = ["insight_site/pickers.js"]

    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> SafeString:
        return mark_safe(render_to_string(template_name, context))  # noqa: S308 - the template escapes


class Combobox(Drawn):
    """A text input with autocomplete.

    Args:
        kind: what is searched (`events.pickers.sources.find_source`).
        of: id of the input that holds the event whose properties are searched.
    """

    template_name = "pickers/combobox.html"

    def __init__(self, kind: str, of: str = "", attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.kind, self.of = kind, of

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        return context | {"kind": self.kind, "of": self.of}


class PickedMetric(Combobox):
    """A metric by its name: the text that is seen is a sentence, the value its definition.

    The line goes beside the text, with the text as it was then. Another text is what a person typed instead: "D7".
    """

    def __init__(self, kind: str = "outcome", attrs: dict[str, Any] | None = None) -> None:
        super().__init__(kind, attrs=attrs)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        text = (data.get(name) or "").strip()
        return data.get(f"{name}_line") or text if text == (data.get(f"{name}_title") or "").strip() else text

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        line = str(value or "")
        title = metric_title(line)
        context = super().get_context(name, title, attrs)
        return context | {"titled": True, "line": line if title != line else ""}


def pieces(name: str, parts: Parts) -> list[SafeString]:
    """The sentence with inputs that follows the choice of the kind."""
    gap = _Gaps(name, parts)
    match parts.kind:
        case "active":
            text = _("at least {least} days, from day {first} to day {last}")
        case "event":
            text = _("{event}, at least {least} times, from day {first} to day {last}")
        case "churn":
            text = _("the first silence of {gap} days")
        case "back":
            text = _("from day {first} on")
        case "count":
            text = _("{behaviour}, from day {first} to day {last}")
        case "sum":
            text = _("{property} of {event}, from day {first} to day {last}")
        case "active_days":
            text = _("from day {first} to day {last}")
        case _:
            return []
    fragments = [format_html(text, **gap.inputs(text))]
    if parts.kind in ("count", "sum", "active_days"):
        fragments.append(gap.capping())
    return fragments


class _Gaps:
    """The inputs for one definition."""

    def __init__(self, name: str, parts: Parts) -> None:
        self.name, self.parts = name, parts

    def inputs(self, text: str) -> dict[str, SafeString]:
        """Inputs for the placeholders of the sentence."""
        labels = {
            "least": _("at least"),
            "first": _("first day"),
            "last": _("last day"),
            "gap": _("days without activity"),
            "event": _("event"),
            "property": _("property"),
            "behaviour": _("behaviour"),
        }
        return {part: self._input(part, label) for part, label in labels.items() if "{" + part + "}" in text}

    def capping(self) -> SafeString:
        """A checkbox for cutting the largest values."""
        return format_html(
            '<input type="hidden" name="{0}_capping" value="1">'
            '<label><input type="checkbox" name="{0}_capped"{1}> {2}</label>',
            self.name,
            mark_safe(" checked") if self.parts.capped else "",
            _("cut the largest 0.1%"),
        )

    def _input(self, part: str, label: str) -> SafeString:
        value, attrs = getattr(self.parts, part), {"id": f"id_{self.name}_{part}", "aria-label": label}
        field = f"{self.name}_{part}"
        if isinstance(value, int):
            least = 1 if part in ("least", "gap") else 0
            number = forms.NumberInput(attrs={**attrs, "min": least, "max": LARGEST, "inputmode": "numeric"})
            return number.render(field, value)
        kind = {"event": "event", "property": "property", "behaviour": "behaviour"}[part]
        of = f"id_{self.name}_event" if part == "property" else ""
        return Combobox(kind, of).render(field, value, attrs)


# Widgets of the fields: comboboxes, chips, and sentences with inputs. Plain text fields without JavaScript.

NUMBERS = ("first", "last", "least", "gap")
TEXTS = ("event", "property", "behaviour")


class Chips(Drawn):
    """Many names: chips, a combobox that adds one, and the same as lines of text.

    Args:
        kind: what is searched.
        ordered: their order matters, so that each chip has buttons that move it up or down.
    """

    template_name = "pickers/chips.html"

    def __init__(self, kind: str, *, ordered: bool = False, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.kind, self.ordered = kind, ordered

    def id_for_label(self, id_: str) -> str:
        return f"{id_}_add"

    def format_value(self, value: Any) -> str:
        return "\n".join(value) if isinstance(value, list | tuple) else value or ""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        lines = metric_lines(context["widget"]["value"] or "")
        return context | {"kind": self.kind, "ordered": self.ordered, "chips": chips_of(lines, self.kind)}


class Builder(Drawn):
    """A retention or an outcome in words, with its specification line, kept in sync.

    Args:
        kinds: of `events.pickers.definition_parts`, offered in this order.
        rate: show the base rate, the eligible users and the curve below it.
    """

    template_name = "pickers/builder.html"

    def __init__(self, kinds: tuple[str, ...], *, rate: bool, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.kinds, self.rate = kinds, rate

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """The line, or the parts if only they were edited since both were last in sync."""
        line, was = data.get(name) or "", data.get(f"{name}_was")
        if was is None or line.strip() != was.strip() or f"{name}_kind" not in data:
            return line
        before = _parts(was)
        after = sent_parts(data, name, before)
        return line if after == before else after

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data and f"{name}_kind" not in data

    def format_value(self, value: Any) -> str:
        if isinstance(value, Parts):
            try:
                return str(definition_of(value))
            except Refused:
                return ""
        return str(value or "")

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        line = context["widget"]["value"] or ""
        parts = value if isinstance(value, Parts) else None
        attributes = context["widget"]["attrs"]
        context |= builder_context(name, line, parts, self.kinds, rate=self.rate, id_of=attributes.get("id", ""))
        return context | {"described": attributes.get("aria-describedby"), "wrong": ""}


def builder_context(
    name: str, line: str, parts: Parts | None, kinds: tuple[str, ...], *, rate: bool, id_of: str = ""
) -> dict[str, Any]:
    """Context of `pickers/builder_body.html`.

    Args:
        name: of the field.
        line: its specification line.
        parts: values of the inputs; None reads them from the line.
        kinds, rate: of the widget.
        id_of: id of the line's input; "" for the usual one.
    """
    shown = _parts(line) if parts is None else parts
    offered = kinds if shown.kind in kinds else (*kinds, shown.kind)
    query: dict[str, str | int] = {"of": name, "kinds": " ".join(kinds), "rate": int(rate)}
    return {
        "id": id_of or f"id_{name}",
        "name": name,
        "line": line,
        "parts": shown,
        "kinds": [(kind, kind_words(kind)) for kind in offered],
        "pieces": pieces(name, shown),
        "step_url": f"{reverse('pick:definition')}?{urlencode(query)}",
        "presets": PRESETS if set(kinds) <= set(RETENTION_KINDS) else (),
        "rate": rate,
        "long": "line" in kinds,  # an SQL metric is written over several lines
        "sql": IS_SQL.match(line) is not None,
        "said": _said(line),
    }


def sent_parts(data: Any, name: str, before: Parts) -> Parts:
    """The parts as a form sends them; missing ones stay unchanged."""
    values: dict[str, Any] = {"kind": data.get(f"{name}_kind") or before.kind}
    if values["kind"] not in {*METRIC_KINDS, *RETENTION_KINDS}:
        return before
    for part in NUMBERS:
        text = (data.get(f"{name}_{part}") or "").strip()
        if text.isascii() and text.isdigit() and len(text) < 6:
            values[part] = int(text)
    values |= {part: data[f"{name}_{part}"].strip() for part in TEXTS if f"{name}_{part}" in data}
    if f"{name}_capping" in data:
        values["capped"] = f"{name}_capped" in data
    return Parts(**{**vars(before), **values})


def _said(line: str) -> str:
    try:
        return sentence(read_definition(line)) if line.strip() else ""
    except Refused:
        return ""  # the field's error reports it


def _parts(line: str) -> Parts:
    definition: Metric | None = None
    with suppress(Refused):
        definition = read_definition(line) if line.strip() else None
    return parts_of(definition)


# Form fields for events, properties, behaviours, retention and outcomes. Each also accepts typed text.
#
# An unknown name is reported beside the field, with the nearest known name as a button.

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
    """Many behaviours, one per line; cleaned to a tuple of their texts without repeats. `ordered` is of `Chips`."""

    def __init__(self, *, ordered: bool = False, **options: Any) -> None:
        super().__init__(**{"required": False, "widget": Chips("behaviour", ordered=ordered), **options})

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
        cleaned = super().clean(value)
        if not cleaned:
            return ""
        try:
            definition = definition_of(cleaned) if isinstance(cleaned, Parts) else self.read(cleaned)
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
