"""Form fields that pick events, properties, behaviours, retention and outcomes, and what they look like."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from events.metrics import LONGEST_LINE, Metric, metric_lines, parse_behaviour
from events.metrics.levels import LEVELS
from events.metrics.sentences import level_name, sentence
from events.pickers.definition_parts import (
    JUDGED_KINDS,
    KINDS,
    METRIC_KINDS,
    MOST_STEPS,
    NUMBER_KINDS,
    PRESETS,
    RETENTION_KINDS,
    Parts,
    below_of,
    definition_of,
    kind_words,
    parts_of,
    read_definition,
    read_retention,
)
from events.pickers.known_names import (
    chips_of,
    metric_title,
    title_of_behaviour,
    unknown_behaviour,
    unknown_event,
    unknown_in_definition,
)
from events.pickers.quick_fixes import Mendable
from runs.refusals import Refused

# Inputs for the parts of a definition, placed in a sentence in the word order of the reader's language.

LARGEST = 365
SELECT = "SELECT user_id, count(*) AS value FROM events WHERE event = 'purchase' GROUP BY user_id"


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


class Picked(Combobox):
    """A combobox that shows names: the text that is seen is a title, the value what it stands for.

    The value goes beside the text, with the text as it was then. Another text is what a person typed instead.

    Args:
        title: from a value to its title.
    """

    def __init__(self, kind: str, title: Callable[[str], str], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(kind, attrs=attrs)
        self.title = title

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return picked(data, name)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        line = str(value or "")
        title = self.title(line)
        context = super().get_context(name, title, attrs)
        return context | {"titled": True, "line": line if title != line else ""}


def picked(data: Any, name: str) -> str:
    """The value of a `Picked` in what a form sent: the one behind the text, or the text itself if it was changed."""
    text = (data.get(name) or "").strip()
    unchanged = text == (data.get(f"{name}_title") or "").strip()
    return (data.get(f"{name}_line") or text) if unchanged else text


class PickedMetric(Picked):
    """A metric by its sentence or its name in the catalogue."""

    def __init__(self, kind: str = "outcome", attrs: dict[str, Any] | None = None) -> None:
        super().__init__(kind, metric_title, attrs)


def pieces(name: str, parts: Parts, ask: str) -> list[SafeString]:
    """The sentence with inputs that follows the choice of the kind.

    Args:
        name: of the field.
        parts: values of the inputs.
        ask: address that brings the definition anew as its inputs change.
    """
    gap = _Gaps(name, parts, ask)
    match parts.kind:
        case "active":
            text = _("at least {least} days, from day {first} to day {last}")
        case "event":
            text = _("{event}, at least {least} times, from day {first} to day {last}")
        case "level":
            text = _("at level {level} of {model} or above, from day {first} to day {last}")
        case "churn":
            text = _("the first silence of {gap} days")
        case "back":
            text = _("from day {first} on")
        case "funnel":
            return [gap.steps(), gap.more_steps(), gap.said(_("from day {first} to day {last}"))]
        case "sql":
            return [gap.said(_("events from day {first} to day {last} of each user")), gap.select(), gap.capping()]
        case "quantile":
            chosen = gap.number_kind(f"{name}_of", parts.of, _("The number"))
            return [gap.said(_("not exceeded by {share} per cent of users:")), chosen, *gap.number(parts.of)]
        case "ratio":
            return _ratio(name, parts, ask)
        case _:
            return [*gap.number(parts.kind), gap.capping()] if parts.kind in NUMBER_KINDS else []
    return [gap.said(text)]


def _ratio(name: str, parts: Parts, ask: str) -> list[SafeString]:
    above, below = _Gaps(name, parts, ask), _Gaps(f"{name}_below", below_of(parts), ask)
    return [
        above.heading(_("Above the line")),
        above.number_kind(f"{name}_of", parts.of, _("Above the line")),
        *above.number(parts.of),
        above.capping(),
        above.heading(_("Below the line")),
        above.number_kind(f"{name}_below_kind", below_of(parts).kind, _("Below the line")),
        *below.number(below_of(parts).kind),
        below.capping(),
    ]


class _Gaps:
    """The inputs for one definition."""

    def __init__(self, name: str, parts: Parts, ask: str) -> None:
        self.name, self.parts, self.ask = name, parts, ask

    def said(self, text: str) -> SafeString:
        """A sentence with inputs for its placeholders."""
        labels = {
            "least": _("at least"),
            "first": _("first day"),
            "last": _("last day"),
            "gap": _("days without activity"),
            "event": _("event"),
            "property": _("property"),
            "behaviour": _("behaviour"),
            "share": _("share of users, per cent"),
            "model": _("segmentation"),
            "level": _("level of activity"),
        }
        inputs = {part: self._input(part, label) for part, label in labels.items() if "{" + part + "}" in text}
        return format_html(text, **inputs)

    def number(self, kind: str) -> list[SafeString]:
        """A number per user."""
        match kind:
            case "count":
                return [self.said(_("{behaviour}, from day {first} to day {last}"))]
            case "sum":
                return [self.said(_("{property} of {event}, from day {first} to day {last}"))]
        return [self.said(_("from day {first} to day {last}"))]

    def number_kind(self, field: str, kind: str, label: str) -> SafeString:
        """The choice of a number per user, inside another definition."""
        choices = [(each, kind_words(each)) for each in NUMBER_KINDS]
        attrs = {"id": f"id_{field}", "aria-label": label, **self._anew("change consume")}
        return SafeString(forms.Select(attrs, choices=choices).render(field, kind))

    def _anew(self, trigger: str) -> dict[str, str]:
        """Attributes of an input that changes which inputs there are."""
        address = f"{self.ask}&changed=inputs"
        return {"hx-post": address, "hx-trigger": trigger, "hx-target": "closest .builder", "hx-swap": "outerHTML"}

    def heading(self, text: str) -> SafeString:
        """What the next inputs are about, on a line of its own."""
        return format_html('<b class="whole">{}</b>', text)

    def steps(self) -> SafeString:
        """The steps of a funnel in their order: those there are and an empty one, at least three."""
        steps = self.parts.steps
        shown = (*steps, *[""] * max(3 - len(steps), 0))[:MOST_STEPS]
        items = [
            (self._behaviour(f"{self.name}_step{at}", step, _("step {number}").format(number=at + 1)),)
            for at, step in enumerate(shown)
        ]
        return format_html('<ol class="whole funnel-steps">{}</ol>', format_html_join("", "<li>{}</li>", items))

    def more_steps(self) -> SafeString:
        """A button that adds an empty step."""
        if len(self.parts.steps) >= MOST_STEPS:
            return SafeString("")
        return format_html(
            '<button type="button" class="quiet small" name="{}_more" value="1" {}>{}</button>',
            self.name,
            flatatt(self._anew("click consume")),
            _("Add a step"),
        )

    def select(self) -> SafeString:
        """The SELECT; what the gate says of it follows while somebody types."""
        attrs = {
            "id": f"id_{self.name}_sql",
            "aria-label": _("SELECT"),
            "aria-describedby": f"id_{self.name}_said",
            "rows": 7,
            "class": "code whole",
            "spellcheck": "false",
            "autocapitalize": "off",
            "placeholder": SELECT,
            "hx-post": f"{self.ask}&changed=parts",
            "hx-trigger": "input changed delay:600ms",
        }
        return SafeString(forms.Textarea(attrs).render(f"{self.name}_sql", self.parts.sql))

    def capping(self) -> SafeString:
        """A checkbox for cutting the largest values."""
        return format_html(
            '<input type="hidden" name="{0}_capping" value="1">'
            '<label><input type="checkbox" name="{0}_capped"{1}> {2}</label>',
            self.name,
            mark_safe(" checked") if self.parts.capped else "",
            _("cut the largest 0.1%"),
        )

    def _behaviour(self, field: str, value: str, label: str) -> SafeString:
        return Picked("behaviour", title_of_behaviour).render(field, value, {"id": f"id_{field}", "aria-label": label})

    def _input(self, part: str, label: str) -> SafeString:
        value, attrs = getattr(self.parts, part), {"id": f"id_{self.name}_{part}", "aria-label": label}
        field = f"{self.name}_{part}"
        if part == "share":
            return forms.TextInput({**attrs, "size": 5, "inputmode": "decimal"}).render(field, value)
        if part == "level":
            return forms.Select(attrs, choices=[(one, level_name(one)) for one in LEVELS]).render(field, value)
        if isinstance(value, int):
            least = 1 if part in ("least", "gap") else 0
            number = forms.NumberInput(attrs={**attrs, "min": least, "max": LARGEST, "inputmode": "numeric"})
            return number.render(field, value)
        if part == "behaviour":
            return self._behaviour(field, value, label)
        of = f"id_{self.name}_event" if part == "property" else ""
        return Combobox(part, of).render(field, value, attrs)


# Widgets of the fields: comboboxes, chips, and sentences with inputs. Plain text fields without JavaScript.

NUMBERS = ("first", "last", "least", "gap")
TEXTS = ("event", "property", "share", "sql", "model", "level")


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
    identity, step_url = id_of or f"id_{name}", f"{reverse('pick:definition')}?{urlencode(query)}"
    return {
        "id": identity,
        "name": name,
        "line": line,
        "parts": shown,
        "kinds": [(kind, kind_words(kind)) for kind in offered],
        "pieces": pieces(name, shown, step_url),
        "step_url": step_url,
        "presets": PRESETS if set(kinds) <= set(RETENTION_KINDS) else (),
        "rate": rate,
        "long": bool({"line", "sql"} & set(kinds)),  # an SQL metric is written over several lines
        "previewed": bool({"line", "sql"} & set(kinds)) and bool(line) and shown.kind != "churn",
        "said": _said(line),
    }


def sent_parts(data: Any, name: str, before: Parts) -> Parts:
    """The parts as a form sends them; missing ones stay unchanged."""
    values: dict[str, Any] = {"kind": data.get(f"{name}_kind") or before.kind}
    if values["kind"] not in KINDS:
        return before
    if before.kind in NUMBER_KINDS and values["kind"] in ("ratio", "quantile"):
        values["of"] = before.kind  # the number stays, and is divided now
    if data.get(f"{name}_of") in NUMBER_KINDS:
        values["of"] = data[f"{name}_of"]
    if f"{name}_below_kind" in data:
        values["below"] = sent_parts(data, f"{name}_below", below_of(before))
    if f"{name}_step0" in data:
        values["steps"] = _sent_steps(data, name)
    if f"{name}_behaviour" in data:
        values["behaviour"] = picked(data, f"{name}_behaviour")
    for part in NUMBERS:
        text = (data.get(f"{name}_{part}") or "").strip()
        if text.isascii() and text.isdigit() and len(text) < 6:
            values[part] = int(text)
    values |= {part: data[f"{name}_{part}"].strip() for part in TEXTS if f"{name}_{part}" in data}
    if f"{name}_capping" in data:
        values["capped"] = f"{name}_capped" in data
    return Parts(**{**vars(before), **values})


def _sent_steps(data: Any, name: str) -> tuple[str, ...]:
    """The steps of a funnel without empty ones, and an empty one more where its button was pressed."""
    steps = tuple(filter(None, (picked(data, f"{name}_step{at}") for at in range(MOST_STEPS))))
    more = max(3 - len(steps), 0) + 1 if f"{name}_more" in data else 0
    return (*steps, *[""] * more)[:MOST_STEPS]


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
