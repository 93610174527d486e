"""Buttons of the form: a line says which change to make at which row, for example ``up r-0-2``. Pure."""

import json
from dataclasses import dataclass, replace

from reporting.words import Message, say
from segments.rules.builder import row_changes
from segments.rules.builder.posted_rows import path_of
from segments.rules.builder.typed import TEXT, Path, TypedCondition, TypedGroup, as_json, typed_value
from segments.rules.parsing import MAX_CONDITIONS, MAX_DEPTH
from segments.rules.records import Scalar


@dataclass(frozen=True)
class Changed:
    """Rows after a button: which one the keyboard goes to, and what is said of it to whoever can't see it."""

    rows: TypedGroup
    focus: Path | None = None
    said: Message | None = None


def act(rows: TypedGroup, line: str) -> Changed:
    """The rows after a button was pressed; a line that says nothing changes nothing."""
    verb, _, rest = line.partition(" ")
    place, _, rest = rest.partition(" ")
    path = path_of(place)
    row = None if path is None else row_changes.find(rows, path)
    if path is None or row is None:
        return Changed(rows)
    match verb:
        case "add" | "group":
            return _add(rows, path, verb)
        case "remove":
            new, at = row_changes.remove(rows, path)
            return Changed(new, at, say("Removed."))
        case "up" | "down":
            new, at = row_changes.move(rows, path, -1 if verb == "up" else 1)
            return Changed(new, at, say("Moved.") if at != path else say("It is at the end already."))
        case "set":
            field, _, value = rest.partition(" ")
            return Changed(_set(rows, path, field, value), path)
        case "pick":
            return Changed(_pick(rows, path, row, rest), path)
        case "value":
            return Changed(_value(rows, path, row), path)
    return Changed(rows)


def _add(rows: TypedGroup, path: Path, verb: str) -> Changed:
    what = row_changes.new_condition()
    new, at = row_changes.add(rows, path, what if verb == "add" else TypedGroup("any", (what,)))
    if new == rows:
        text = say("A rule has at most {count} conditions, nested {deep} deep.", count=MAX_CONDITIONS, deep=MAX_DEPTH)
        return Changed(rows, path, text)
    return Changed(new, at, say("A condition was added.") if verb == "add" else say("A group was added."))


def _set(rows: TypedGroup, path: Path, field: str, value: str) -> TypedGroup:
    new = row_changes.set_field(rows, path, field, value)
    row = row_changes.find(new, path)
    return row_changes.put(new, path, row_changes.settled(row)) if isinstance(row, TypedCondition) else new


def _pick(rows: TypedGroup, path: Path, row: object, text: str) -> TypedGroup:
    try:
        value = json.loads(text)
    except ValueError:
        return rows
    if not isinstance(row, TypedCondition) or not isinstance(value, str | bool | int | float):
        return rows
    typed, kind = typed_value(value)
    return row_changes.put(rows, path, replace(row, typed=typed, kind=kind))


def _value(rows: TypedGroup, path: Path, row: object) -> TypedGroup:
    """Put what was typed beside a list of values into it."""
    if not isinstance(row, TypedCondition) or not row.typed:
        return rows
    value: Scalar = row.typed
    if row.kind != TEXT:
        try:
            value = json.loads(row.typed)
        except ValueError:
            value = row.typed
    new = row_changes.add_value(rows, path, as_json(value))
    cleared = row_changes.find(new, path)
    return (
        row_changes.put(new, path, replace(cleared, typed="", kind=TEXT))
        if isinstance(cleared, TypedCondition)
        else new
    )
