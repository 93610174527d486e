"""State of a rule form between requests: rows or text, converted when the user switches. Pure."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from reporting.words import Message, say
from runs.refusals import Refused
from segments.rules import editor_rows
from segments.rules.editor_check import Checked, Mistake, QuickFix, check
from segments.rules.editor_rows import (
    NotShown,
    Path,
    Posted,
    TypedCondition,
    TypedGroup,
    as_json,
    path_of,
    place_of,
    read_rows,
    rows_of,
    typed_value,
    walk,
)
from segments.rules.editor_templates import template_rows
from segments.rules.editor_view import Known, nearest
from segments.rules.records import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    SUBJECTS,
    Operator,
    Quantifier,
    Rule,
    Scalar,
    parse_rule,
    to_document,
)

# Buttons of the form: their value names a change and a row, for example ``up r-0-2``. Pure.


@dataclass(frozen=True)
class Changed:
    """Rows after a button, the row that gets the focus, and the announcement for screen readers."""

    rows: TypedGroup
    focus: Path | None = None
    said: Message | None = None


def act(rows: TypedGroup, line: str) -> Changed:
    """The rows after a button was pressed; an invalid `line` changes nothing."""
    verb, _, rest = line.partition(" ")
    place, _, rest = rest.partition(" ")
    path = path_of(place)
    row = None if path is None else editor_rows.find(rows, path)
    if path is None or row is None:
        return Changed(rows)
    match verb:
        case "add" | "group":
            return _add(rows, path, verb)
        case "remove":
            new, at = editor_rows.remove(rows, path)
            return Changed(new, at, say("Removed."))
        case "up" | "down":
            new, at = editor_rows.move(rows, path, -1 if verb == "up" else 1)
            return Changed(new, at, say("Moved.") if at != path else say("It is at the end already."))
        case "set":
            field, _, value = rest.partition(" ")
            return Changed(_set(rows, path, field, value), path)
        case "pick":
            return Changed(_actions_pick(rows, path, row, rest), path)
        case "value":
            return Changed(_value(rows, path, row), path)
    return Changed(rows)


def _add(rows: TypedGroup, path: Path, verb: str) -> Changed:
    what = editor_rows.new_condition()
    new, at = editor_rows.add(rows, path, what if verb == "add" else TypedGroup("any", (what,)))
    if new == rows:
        text = say("A rule has at most {count} conditions, nested {deep} deep.", count=MAX_CONDITIONS, deep=MAX_DEPTH)
        return Changed(rows, path, text)
    return Changed(new, at, say("A condition was added.") if verb == "add" else say("A group was added."))


def _set(rows: TypedGroup, path: Path, field: str, value: str) -> TypedGroup:
    new = editor_rows.set_field(rows, path, field, value)
    row = editor_rows.find(new, path)
    return editor_rows.put(new, path, editor_rows.settled(row)) if isinstance(row, TypedCondition) else new


def _actions_pick(rows: TypedGroup, path: Path, row: object, text: str) -> TypedGroup:
    try:
        value = json.loads(text)
    except ValueError:
        return rows
    if not isinstance(row, TypedCondition) or not isinstance(value, str | bool | int | float):
        return rows
    typed, kind = typed_value(value)
    return editor_rows.put(rows, path, replace(row, typed=typed, kind=kind))


def _value(rows: TypedGroup, path: Path, row: object) -> TypedGroup:
    """Add the value typed beside a list of values to it."""
    if not isinstance(row, TypedCondition) or not row.typed:
        return rows
    value: Scalar = row.typed
    if row.kind != editor_rows.TEXT:
        try:
            value = json.loads(row.typed)
        except ValueError:
            value = row.typed
    new = editor_rows.add_value(rows, path, as_json(value))
    cleared = editor_rows.find(new, path)
    return (
        editor_rows.put(new, path, replace(cleared, typed="", kind=editor_rows.TEXT))
        if isinstance(cleared, TypedCondition)
        else new
    )


# Unknown names and values of a rule, each with the nearest known one as a button. Pure.


def hints(root: TypedGroup, known: Known) -> tuple[Mistake, ...]:
    """Unknown events, which can't be counted, and unknown traits and values, which match no user today."""
    mistakes: list[Mistake] = []
    for path, row in walk(root):
        if isinstance(row, TypedCondition) and row.name:
            mistakes += _event(path, row, known) if row.subject == "behaviour" else ()
            mistakes += _trait(path, row, known) if row.subject == "trait" else ()
    return tuple(mistakes)


def _event(path: Path, row: TypedCondition, known: Known) -> Iterator[Mistake]:
    event = known.events.get(row.name)
    if event is None:
        if known.events:
            why = say("There is no event ‘{name}’.", name=row.name)
            yield Mistake(path, "name", *_instead(path, "name", why, nearest(row.name, known.events)))
        return
    for field, name in (("property", row.property), ("distinct", row.distinct)):
        if name and event.properties and name not in event.properties:
            why = say("‘{event}’ has no property ‘{name}’, so this counts nothing.", event=row.name, name=name)
            yield Mistake(path, field, *_instead(path, field, why, nearest(name, event.properties)), blocks=False)
    values = event.properties.get(row.property, ())
    if row.property and row.property_value and values and row.property_value not in values:
        other = nearest(row.property_value, values)
        if other is not None:
            why = say(
                "No ‘{event}’ was seen with ‘{name}’ = ‘{value}’.",
                event=row.name,
                name=row.property,
                value=row.property_value,
            )
            yield Mistake(path, "property_value", *_instead(path, "property_value", why, other), blocks=False)


def _trait(path: Path, row: TypedCondition, known: Known) -> Iterator[Mistake]:
    if not known.traits:
        return
    trait = known.traits.get(row.name)
    if trait is None:
        why = say("No user has a trait ‘{name}’.", name=row.name)
        if known.users_read is not None:
            why = say(
                "None of the {count:,} users considered has a trait ‘{name}’.", name=row.name, count=known.users_read
            )
        yield Mistake(path, "name", *_instead(path, "name", why, nearest(row.name, known.traits)), blocks=False)
        return
    values = {as_json(value): value for value in trait.values}
    if row.operator == Operator.IN:
        unknown = [text for text in row.values if text not in values]
        if unknown and trait.whole:
            names = ", ".join(str(json.loads(text)) for text in unknown)
            why = say("No user’s {name} is {value}.", name=row.name, value=names)
            yield Mistake(path, "values", why, blocks=False)
    elif row.operator in (Operator.IS, Operator.IS_NOT) and row.typed and trait.whole:
        mine = next((text for text, value in values.items() if typed_value(value) == (row.typed, row.kind)), None)
        if mine is None:
            why = say("No user’s {name} is {value}.", name=row.name, value=f"‘{row.typed}’")
            other = _like(row.typed, trait.values)
            mend = None if other is None else _hints_pick(path, other)
            yield Mistake(path, "typed", why, mend, blocks=False)


def _like(typed: str, values: tuple[Scalar, ...]) -> Scalar | None:
    """A value with the same text but another type, or else the nearest."""
    texts = {typed_value(value)[0]: value for value in reversed(values)}
    if typed in texts:
        return texts[typed]
    other = nearest(typed, texts)
    return None if other is None else texts[other]


def _hints_pick(path: Path, value: Scalar) -> QuickFix:
    return QuickFix(say("Use ‘{value}’", value=typed_value(value)[0]), f"pick {place_of(path)} {as_json(value)}")


def _instead(path: Path, field: str, why: Message, other: str | None) -> tuple[Message, QuickFix | None]:
    if other is None:
        return why, None
    return why, QuickFix(say("Use ‘{value}’", value=other), f"set {place_of(path)} {field} {other}")


# Translate the path of a refused part of a rule to the numbering of conditions in the form. Pure.


def in_words(refusal: Refused, document: object) -> Message:
    """The sentence of a refusal of `parse_rule` with a numbered condition or group in place of its path."""
    fields = refusal.message.fields
    place, what = fields.get("place"), fields.get("what")
    if what is None:
        return refusal.message
    steps = [int(step) for step in re.findall(r"\[(\d+)\]", str(place))] if isinstance(place, str) else []
    if re.search(r"\.in\[\d+\]$", str(place)):
        steps.pop()  # a value of a list isn't a row
    numbered = _numbered(document, steps)
    if numbered is None:
        return say("The rule: {what}", what=what) if not steps else refusal.message
    kind, number = numbered
    if kind == "group":
        return say("Group {number}: {what}", number=number, what=what)
    return say("Condition {number}: {what}", number=number, what=what)


def _numbered(document: object, steps: list[int]) -> tuple[str, int] | None:
    """Kind and number of the part at these steps; None for the rule itself and for a missing part."""
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
            numbered = walk(inner, (*path, place))
            if numbered is not None:
                return numbered
        return None

    return walk(document, ()) if steps else None


ROWS, TEXT = "rows", "text"
LONGEST_TEXT = 50_000
START = TypedGroup("all", (TypedCondition(),))


@dataclass(frozen=True)
class State:
    """State of the form.

    Attributes:
        mode: ``rows`` or ``text``.
        rows: the conditions; unused in ``text``.
        text: the document as it was typed; unused in ``rows``.
        wrong: error of the text.
        closed: the text with missing closing brackets added, where that is its only error; else "".
        focus: path of the row that gets the focus.
        button: the button of that row which was pressed.
        said: announcement of a change for screen readers.
    """

    mode: str = ROWS
    rows: TypedGroup = START
    text: str = ""
    wrong: Message | None = None
    closed: str = ""
    focus: Path | None = None
    button: str = ""
    said: Message | None = None

    @property
    def is_fresh(self) -> bool:
        """True while nothing has been picked: then missing fields aren't reported."""
        match self.rows.parts:
            case (TypedCondition(name="", typed="", values=()),):
                return self.mode == ROWS
        return False

    @property
    def checked(self) -> Checked:
        """The rule of ``rows``, or its mistakes."""
        return check(self.rows)

    @property
    def rule(self) -> Rule | None:
        """The rule, None where something is missing or wrong."""
        if self.mode == ROWS:
            return self.checked.rule
        try:
            return read_text(self.text)
        except Refused:
            return None

    def mistakes(self, known: Known, *, missing: bool = True) -> tuple[Mistake, ...]:
        """Mistakes of the rows, including unknown names; empty fields only with `missing`."""
        all_mistakes = (*self.checked.mistakes, *hints(self.rows, known)) if self.mode == ROWS else ()
        return tuple(each for each in all_mistakes if missing or not each.missing)


def state_of_text(text: str, *, mode: str = ROWS) -> State:
    """State for a rule from a link or a version, as rows where rows can represent it."""
    try:
        return State(mode, rows=rows_of(read_text(text)), text=text)
    except NotShown as part:
        return State(TEXT, text=text, wrong=part.message)
    except Refused as refusal:
        return State(TEXT, text=text, wrong=refusal.message, closed=closed(text))


def read_state(posted: Posted) -> State:
    """State of a posted form after its button was applied."""
    line = (posted.get("do") or ("",))[-1]
    template = template_rows(line.removeprefix("start ")) if line.startswith("start ") else None
    if template is not None:
        return State(rows=template, focus=(0,), button="start", said=say("The template filled the conditions."))
    text = (posted.get("text") or ("",))[-1]
    if (posted.get("as") or ("",))[-1] == TEXT:
        if line == "as rows":
            return state_of_text(text)
        return _text_state(closed(text) or text if line == "close" else text)
    rows = read_rows(posted)
    if line == "as text":
        rule = check(rows).rule
        if rule is None:
            return State(
                rows=rows, said=say("Fill in the conditions first: a rule with gaps can’t be written as text.")
            )
        return State(TEXT, rows, json.dumps(to_document(rule), ensure_ascii=False, indent=2))
    changed = act(rows, line)
    return State(rows=changed.rows, focus=changed.focus, button=line.partition(" ")[0], said=changed.said)


def _text_state(text: str) -> State:
    state = State(TEXT, text=text)
    try:
        read_text(text)
    except Refused as refusal:
        return replace(state, wrong=refusal.message, closed=closed(text))
    return state


def read_text(text: str) -> Rule:
    """Parse a rule from text. A single condition is accepted as a rule.

    Raises:
        Refused: invalid JSON or rule; names the part by the form's numbering.
    """
    if len(text) > LONGEST_TEXT:
        raise Refused("This text is longer than {most:,} characters.", most=LONGEST_TEXT)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused("This is no JSON: line {line}, column {column}.", line=error.lineno, column=error.colno) from None
    except (ValueError, RecursionError):
        raise Refused("This is no JSON that can be read here.") from None
    if isinstance(document, dict) and any(subject in document for subject in SUBJECTS):
        document = {"all": [document]}
    try:
        return parse_rule(document)
    except Refused as refusal:
        raise Refused(in_words(refusal, document)) from None


def closed(text: str) -> str:
    """The text with missing closing brackets added, if that makes it a valid rule; else ""."""
    open_ones, inside, escaped = [], False, False
    for letter in text[:LONGEST_TEXT]:
        if inside:
            inside = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        elif letter in "{[":
            open_ones.append("}" if letter == "{" else "]")
        elif letter in "}]" and open_ones:
            open_ones.pop()
    candidate = text + "".join(reversed(open_ones))
    try:
        read_text(candidate)
    except Refused:
        return ""
    return candidate if open_ones else ""
