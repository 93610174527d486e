"""Validation of rule rows: errors at their fields with corrections, and the rule of complete rows. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from events.metrics import Behaviour
from events.windows import LastDays
from reporting.words import Message, say
from runs.refusals import Refused
from segments.rules.editor_rows import (
    EARLIER,
    EVER,
    FIRST,
    NUMBER,
    TRUTH,
    Path,
    TypedCondition,
    TypedGroup,
    place_of,
    walk,
)
from segments.rules.records import (
    FEATURES,
    MAX_DAYS,
    BehaviourCount,
    Condition,
    Feature,
    Operator,
    Quantifier,
    RecentCount,
    Rule,
    Scalar,
    Trait,
    is_finite,
)


@dataclass(frozen=True)
class QuickFix:
    """A correction as a button: its label, and the change that it makes (`segments.rules.editor_state`)."""

    label: Message
    do: str


@dataclass(frozen=True)
class Mistake:
    """One error or hint of a row.

    Attributes:
        path: of the row.
        field: of it.
        why: one sentence.
        mend: the suggested correction, or None.
        blocks: False for a hint: the rule can be counted and published, but matches no user today.
        missing: the field is still empty; shown only when the user tries to publish.
    """

    path: Path
    field: str
    why: Message
    mend: QuickFix | None = None
    blocks: bool = True
    missing: bool = False


@dataclass(frozen=True)
class Checked:
    """Validated rows: their rule, None where something is missing or wrong, and the mistakes."""

    rule: Rule | None
    mistakes: tuple[Mistake, ...]


def check(root: TypedGroup) -> Checked:
    """Validate rows: their rule, or the mistakes."""
    mistakes: list[Mistake] = []
    for path, row in walk(root):
        row_mistakes = _empty_group(path, row) if isinstance(row, TypedGroup) else _wrong(path, row)
        mistakes += row_mistakes
    return Checked(None if mistakes else _rule(root), tuple(mistakes))


def _empty_group(path: Path, row: TypedGroup) -> Iterator[Mistake]:
    if row.parts:
        return
    place = place_of(path)
    add = QuickFix(say("Add a condition"), f"add {place}")
    if path:
        yield Mistake(
            path, "join", say("This group has no condition. Add one, or remove the group."), add, missing=True
        )
    else:
        yield Mistake(path, "join", say("The rule has no condition yet."), add, missing=True)


def _wrong(path: Path, row: TypedCondition) -> Iterator[Mistake]:
    place = place_of(path)
    if not row.name:
        text = {"trait": say("Pick a trait."), "behaviour": say("Pick an event."), "feature": say("Pick a number.")}[
            row.subject
        ]
        yield Mistake(path, "name", text, missing=True)
    if row.subject == "behaviour":
        yield from _wrong_event(path, row, place)
    elif row.subject == "feature":
        number = _number(row.typed)
        if not row.typed:
            yield Mistake(path, "typed", say("Write a number."), _set(place, "typed", "1"), missing=True)
        elif number is None or number < 0:
            yield Mistake(path, "typed", say("Write a number of 0 or more."), _set(place, "typed", "1"))
        yield from _wrong_days(path, row, place)
    else:
        yield from _wrong_value(path, row)


def _wrong_event(path: Path, row: TypedCondition, place: str) -> Iterator[Mistake]:
    times = _number(row.typed)
    if not row.typed:
        yield Mistake(path, "typed", say("Write how many times."), _set(place, "typed", "1"), missing=True)
    elif not isinstance(times, int) or times < 0:
        fixed = str(max(0, round(times))) if times is not None and abs(times) < 1e6 else "1"
        yield Mistake(path, "typed", say("Write a whole number of times, 0 or more."), _set(place, "typed", fixed))
    yield from _wrong_days(path, row, place)
    if row.property_value and not row.property:
        yield Mistake(
            path, "property", say("Pick the property that has this value."), _set(place, "property_value", "")
        )
    if row.property and not row.property_value:
        yield Mistake(
            path, "property_value", say("Pick a value, or no property."), _set(place, "property", ""), missing=True
        )


def _wrong_days(path: Path, row: TypedCondition, place: str) -> Iterator[Mistake]:
    fields = {} if row.when == EVER else {"days": row.days}
    if row.when == EARLIER:
        fields["later"] = row.later
    for field, typed in fields.items():
        days = _number(typed)
        if not isinstance(days, int) or not 1 <= days <= MAX_DAYS:
            fixed = str(min(max(round(days), 1), MAX_DAYS)) if days is not None and abs(days) < 1e9 else "7"
            text = say("Write a whole number of days from 1 to {most}.", most=MAX_DAYS)
            yield Mistake(path, field, text, _set(place, field, fixed))


def _wrong_value(path: Path, row: TypedCondition) -> Iterator[Mistake]:
    if row.operator == Operator.IN:
        if not row.values:
            yield Mistake(path, "values", say("Tick at least one value."), missing=True)
        elif any(_scalar_of(text) is None for text in row.values):
            yield Mistake(path, "values", say("One of the values is neither a text, a number, yes nor no."))
        return
    if row.operator == Operator.EXISTS:
        return
    if not row.typed:
        yield Mistake(path, "typed", say("Pick or write a value."), missing=True)
    elif row.kind == NUMBER and _number(row.typed) is None:
        asks = row.operator in (Operator.AT_LEAST, Operator.AT_MOST)
        place = place_of(path)
        if asks:
            mend = QuickFix(say("Compare with “is” instead"), f"set {place} operator is")
        else:
            mend = QuickFix(say("Take it as text"), f"set {place} kind text")
        yield Mistake(path, "typed", say("‘{value}’ is no number.", value=row.typed), mend)
    elif row.kind == TRUTH and row.typed not in ("true", "false"):
        yield Mistake(path, "typed", say("Pick yes or no."), _set(place_of(path), "typed", "true"))


def _set(place: str, field: str, value: str) -> QuickFix:
    label = say("Write {value}", value=value) if value else say("Leave it empty")
    return QuickFix(label, f"set {place} {field} {value}")


def _rule(group: TypedGroup) -> Rule:
    parts = tuple(_rule(part) if isinstance(part, TypedGroup) else _condition(part) for part in group.parts)
    return Rule(Quantifier(group.quantifier), parts)


def _condition(row: TypedCondition) -> Condition:
    operator = Operator(row.operator)
    if row.subject != "trait":
        return Condition(_counted(row), operator, _needed(row.typed))
    value: Scalar | tuple[Scalar, ...]
    match operator:
        case Operator.IN:
            value = tuple(found for text in row.values if (found := _scalar_of(text)) is not None)
        case Operator.EXISTS:
            value = row.typed != "false"
        case _ if row.kind == TRUTH:
            value = row.typed == "true"
        case _:
            value = _needed(row.typed) if row.kind == NUMBER else row.typed
    return Condition(Trait(row.name), operator, value)


def _counted(row: TypedCondition) -> BehaviourCount | Feature | RecentCount:
    what = None
    if row.subject == "behaviour":
        where = (row.property, row.property_value) if row.property else None
        what = Behaviour(row.name, where, row.distinct or None)
    if row.when == FIRST and what is not None:
        return BehaviourCount(what, int(_needed(row.days)))
    if row.when in (FIRST, EVER):
        return Feature(row.name if row.name in FEATURES else FEATURES[0])
    return RecentCount(what, LastDays(int(_needed(row.days)), int(_needed(row.later)) if row.when == EARLIER else 0))


def _needed(text: str) -> int | float:
    number = _number(text)
    if number is None:
        raise Refused("‘{value}’ is no number.", value=text)
    return number


def _number(text: str) -> int | float | None:
    """Parse an integer or decimal number, also as in 1,000 and 0,5. None if it isn't a number."""
    plain = text.strip().replace("\u2212", "-")
    if plain.count(",") and all(len(part) == 3 for part in plain.split(",")[1:]):
        plain = plain.replace(",", "")
    for read in (int, float):
        try:
            value = read(plain)
        except (ValueError, OverflowError):
            continue
        return value if is_finite(value) else None
    return None


def _scalar_of(text: str) -> Scalar | None:
    value = json.loads(text)
    return value if isinstance(value, str | bool) or is_finite(value) else None
