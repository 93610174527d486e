"""Names and values of a rule that the data don't have, each with the nearest one as a button. Pure."""

import json
from collections.abc import Iterator

from reporting.words import Message, say
from segments.rules.builder.checked import Mend, Mistake
from segments.rules.builder.known_values import Known, nearest
from segments.rules.builder.posted_rows import place_of
from segments.rules.builder.row_changes import walk
from segments.rules.builder.typed import Path, TypedCondition, TypedGroup, as_json, typed_value
from segments.rules.records import Operator, Scalar


def hints(root: TypedGroup, known: Known) -> tuple[Mistake, ...]:
    """Unknown events, which can't be counted, and unknown traits and values, which take nobody today."""
    found: list[Mistake] = []
    for path, row in walk(root):
        if isinstance(row, TypedCondition) and row.name:
            found += _event(path, row, known) if row.subject == "behaviour" else ()
            found += _trait(path, row, known) if row.subject == "trait" else ()
    return tuple(found)


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
                "None of the {count:,} users looked at has a trait ‘{name}’.", name=row.name, count=known.users_read
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
            mend = None if other is None else _pick(path, other)
            yield Mistake(path, "typed", why, mend, blocks=False)


def _like(typed: str, values: tuple[Scalar, ...]) -> Scalar | None:
    """A value that reads the same but is of another kind, or else the nearest."""
    texts = {typed_value(value)[0]: value for value in reversed(values)}
    if typed in texts:
        return texts[typed]
    other = nearest(typed, texts)
    return None if other is None else texts[other]


def _pick(path: Path, value: Scalar) -> Mend:
    return Mend(say("Use ‘{value}’", value=typed_value(value)[0]), f"pick {place_of(path)} {as_json(value)}")


def _instead(path: Path, field: str, why: Message, other: str | None) -> tuple[Message, Mend | None]:
    if other is None:
        return why, None
    return why, Mend(say("Use ‘{value}’", value=other), f"set {place_of(path)} {field} {other}")
