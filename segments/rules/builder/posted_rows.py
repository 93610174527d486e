"""Rows from the fields of a posted form, and the names of those fields. Pure.

Every row has a hidden field ``node`` with its place and kind, ``r-0-2 c`` for a condition and ``r-0 g`` for a group, in
reading order; its fields are named after it, ``r-0-2.name``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from segments.rules.builder.row_changes import settled
from segments.rules.builder.typed import (
    NUMBER,
    TEXT,
    TRUTH,
    Path,
    Row,
    TypedCondition,
    TypedGroup,
    as_json,
    typed_value,
)
from segments.rules.parsing import MAX_CONDITIONS, MAX_DEPTH, SUBJECTS
from segments.rules.records import Operator, Quantifier

ROOT = "r"
MAX_NODES = 3 * MAX_CONDITIONS  # more than any form of ours holds
NOT_KNOWN = "missing"  # the choice "is not known", which the rule writes as exists: false
OTHER = "other"  # the choice "another value" of a list of known ones; no JSON, so no value is written alike

Posted = Mapping[str, Sequence[str]]


def place_of(path: Path) -> str:
    """The prefix of a row's fields."""
    return "-".join((ROOT, *map(str, path)))


def path_of(place: str) -> Path | None:
    """The path that a prefix stands for; None for what is none."""
    first, *rest = place.split("-")
    if first != ROOT or len(rest) > MAX_DEPTH or not all(part.isdecimal() and len(part) < 4 for part in rest):
        return None
    return tuple(map(int, rest))


def read_rows(posted: Posted) -> TypedGroup:
    """The rows of a posted form. What belongs to no row is left out; a choice that there isn't becomes the first."""
    nodes: dict[str, str] = {}
    for node in posted.get("node", ())[:MAX_NODES]:
        place, _, kind = node.partition(" ")
        if path_of(place) is not None:
            nodes[place] = kind
    children: dict[str, list[str]] = {}
    for place in nodes:
        children.setdefault(place.rpartition("-")[0], []).append(place)

    def row(place: str, level: int) -> Row:
        if nodes[place] == "c" or level > MAX_DEPTH:
            return _condition(posted, place)
        join = _one(posted, place, "join")
        quantifier = join if join in list(Quantifier) else Quantifier.ALL.value
        return TypedGroup(quantifier, tuple(row(child, level + 1) for child in children.get(place, ())))

    root = row(ROOT, 1) if nodes.get(ROOT) == "g" else TypedGroup()
    return root if isinstance(root, TypedGroup) else TypedGroup()


def _one(posted: Posted, place: str, field: str) -> str:
    values = posted.get(f"{place}.{field}") or ("",)
    return values[-1]


def _condition(posted: Posted, place: str) -> TypedCondition:
    subject = _one(posted, place, "subject")
    subject = subject if subject in SUBJECTS else SUBJECTS[0]
    before = _one(posted, place, "before")
    if subject != before:  # another kind of condition was picked: the fields still belong to the one before
        return settled(TypedCondition(subject))
    names = ("name", "operator", "typed", "kind", "days", "property", "property_value", "distinct")
    found: dict[str, Any] = {name: _one(posted, place, name) for name in names}
    missing = found["operator"] == NOT_KNOWN
    found["operator"] = Operator.EXISTS.value if missing else found["operator"]
    found["kind"] = found["kind"] if found["kind"] in (TEXT, NUMBER, TRUTH) else TEXT
    row = settled(TypedCondition(subject, **found))
    if row.operator == Operator.IN:
        return replace(row, values=_values(posted.get(f"{place}.values", ())))
    if row.operator == Operator.EXISTS:
        return replace(row, typed="false" if missing else "true", kind=TRUTH)
    if f"{place}.pick" not in posted or subject != "trait":
        return row
    pick = _one(posted, place, "pick")
    picked = _json(pick)
    if picked is not None:
        typed, kind = typed_value(picked)
        return settled(replace(row, typed=typed, kind=kind))
    return replace(row, free=True) if pick == OTHER else replace(row, typed="")


def _values(given: Sequence[str]) -> tuple[str, ...]:
    read = (_json(text) for text in given)
    return tuple(dict.fromkeys(as_json(value) for value in read if value is not None))


def _json(text: str) -> str | bool | int | float | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, str | bool | int | float) else None
