"""Where a refused part of a rule's document is, in the words of the form: its conditions are numbered there. Pure."""

import re
from typing import Any

from reporting.words import Message, say
from runs.refusals import Refused
from segments.rules.records import Quantifier


def in_words(refusal: Refused, document: object) -> Message:
    """The sentence of a refusal of `parse_rule` with a numbered condition or group in place of its path."""
    fields = refusal.message.fields
    place, what = fields.get("place"), fields.get("what")
    if what is None:
        return refusal.message
    steps = [int(step) for step in re.findall(r"\[(\d+)\]", str(place))] if isinstance(place, str) else []
    if re.search(r"\.in\[\d+\]$", str(place)):
        steps.pop()  # a value of a list is no row
    found = _numbered(document, steps)
    if found is None:
        return say("The rule: {what}", what=what) if not steps else refusal.message
    kind, number = found
    if kind == "group":
        return say("Group {number}: {what}", number=number, what=what)
    return say("Condition {number}: {what}", number=number, what=what)


def _numbered(document: object, steps: list[int]) -> tuple[str, int] | None:
    """Kind and number of the part at these steps; None for the rule itself and for what isn't there."""
    seen = {"group": 0, "condition": 0}

    def walk(part: Any, path: tuple[int, ...]) -> tuple[str, int] | None:
        key = next((key for key in Quantifier if isinstance(part, dict) and key in part), None)
        kind = "condition" if key is None else "group"
        if path:
            seen[kind] += 1
            if path == tuple(steps):
                return kind, seen[kind]
        parts = part[key] if key is not None else ()
        for place, inner in enumerate(parts if isinstance(parts, list) else ()):
            found = walk(inner, (*path, place))
            if found is not None:
                return found
        return None

    return walk(document, ()) if steps else None
