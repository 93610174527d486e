"""Inputs for the parts of a definition, placed in a sentence in the word order of the reader's language."""

from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from events.pickers.definition_parts import Parts

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
        found: dict[str, Any] = super().get_context(name, value, attrs)
        return found | {"kind": self.kind, "of": self.of}


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
    found = [format_html(text, **gap.inputs(text))]
    if parts.kind in ("count", "sum", "active_days"):
        found.append(gap.capping())
    return found


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
