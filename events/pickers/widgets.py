"""Widgets of the fields: comboboxes, chips, and sentences with inputs. Plain text fields without JavaScript."""

from contextlib import suppress
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode

from events.metric_sentences import sentence
from events.metrics import Metric
from events.metrics.read_line import IS_SQL, metric_lines
from events.pickers.chosen import chips_of
from events.pickers.definition_parts import METRIC_KINDS, RETENTION_KINDS, Parts, definition_of, parts_of
from events.pickers.inputs import Drawn, pieces
from events.pickers.people_words import read_definition
from events.pickers.presets import PRESETS, kind_words
from runs.refusals import Refused

NUMBERS = ("first", "last", "least", "gap")
TEXTS = ("event", "property", "behaviour")


class Chips(Drawn):
    """Many names: chips, a combobox that adds one, and the same as lines of text."""

    template_name = "pickers/chips.html"

    def __init__(self, kind: str, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.kind = kind

    def id_for_label(self, id_: str) -> str:
        return f"{id_}_add"

    def format_value(self, value: Any) -> str:
        return "\n".join(value) if isinstance(value, list | tuple) else value or ""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context(name, value, attrs)
        lines = metric_lines(found["widget"]["value"] or "")
        return found | {"kind": self.kind, "chips": chips_of(lines, self.kind)}


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
        found: dict[str, Any] = super().get_context(name, value, attrs)
        line = found["widget"]["value"] or ""
        parts = value if isinstance(value, Parts) else None
        attributes = found["widget"]["attrs"]
        found |= builder_context(name, line, parts, self.kinds, rate=self.rate, id_of=attributes.get("id", ""))
        return found | {"described": attributes.get("aria-describedby"), "wrong": ""}


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
    asked: dict[str, str | int] = {"of": name, "kinds": " ".join(kinds), "rate": int(rate)}
    return {
        "id": id_of or f"id_{name}",
        "name": name,
        "line": line,
        "parts": shown,
        "kinds": [(kind, kind_words(kind)) for kind in offered],
        "pieces": pieces(name, shown),
        "step_url": f"{reverse('pick:definition')}?{urlencode(asked)}",
        "presets": PRESETS if set(kinds) <= set(RETENTION_KINDS) else (),
        "rate": rate,
        "long": "line" in kinds,  # an SQL metric is written over several lines
        "sql": IS_SQL.match(line) is not None,
        "said": _said(line),
    }


def sent_parts(data: Any, name: str, before: Parts) -> Parts:
    """The parts as a form sends them; missing ones stay unchanged."""
    found: dict[str, Any] = {"kind": data.get(f"{name}_kind") or before.kind}
    if found["kind"] not in {*METRIC_KINDS, *RETENTION_KINDS}:
        return before
    for part in NUMBERS:
        text = (data.get(f"{name}_{part}") or "").strip()
        if text.isascii() and text.isdigit() and len(text) < 6:
            found[part] = int(text)
    found |= {part: data[f"{name}_{part}"].strip() for part in TEXTS if f"{name}_{part}" in data}
    if f"{name}_capping" in data:
        found["capped"] = f"{name}_capped" in data
    return Parts(**{**vars(before), **found})


def _said(line: str) -> str:
    try:
        return sentence(read_definition(line)) if line.strip() else ""
    except Refused:
        return ""  # the field's error reports it


def _parts(line: str) -> Parts:
    found: Metric | None = None
    with suppress(Refused):
        found = read_definition(line) if line.strip() else None
    return parts_of(found)
