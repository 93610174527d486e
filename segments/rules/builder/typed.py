"""The rows of a rule's form as a person typed them, complete or not, and the rows of a rule that is complete. Pure.

A row is addressed by its path, the places from the outermost group inward: ``()`` is that group, ``(0, 2)`` the third
row of its first.
"""

import json
from dataclasses import dataclass

from events.metrics import Behaviour
from reporting.words import Message, say
from segments.rules.records import BehaviourCount, Condition, Feature, Operator, Rule, Scalar, Trait

Path = tuple[int, ...]
TEXT, NUMBER, TRUTH = "text", "number", "truth"
DEFAULT_DAYS = "7"


@dataclass(frozen=True)
class TypedCondition:
    """One condition as it was typed.

    Attributes:
        subject: ``trait``, ``behaviour`` or ``feature``.
        name: of the trait, event or feature; "" while nothing is picked.
        operator: one of `Operator`.
        typed: the value, or the number of times.
        kind: what the value is: ``text``, ``number`` or ``truth`` (``true`` and ``false``).
        values: those of ``in``, as JSON.
        days: of a behaviour, from signup.
        property: that the event must carry; "" for none.
        property_value: its value.
        distinct: property whose different values are counted instead of events; "" for none.
        free: the value is typed, though there are known ones to pick.
    """

    subject: str = "trait"
    name: str = ""
    operator: str = Operator.IS.value
    typed: str = ""
    kind: str = TEXT
    values: tuple[str, ...] = ()
    days: str = DEFAULT_DAYS
    property: str = ""
    property_value: str = ""
    distinct: str = ""
    free: bool = False


@dataclass(frozen=True)
class TypedGroup:
    """Rows, all, any or none of which must hold; it may still be empty."""

    quantifier: str = "all"
    parts: tuple["TypedCondition | TypedGroup", ...] = ()


Row = TypedCondition | TypedGroup


class NotShown(Exception):  # noqa: N818 - an answer, not an error of the program
    """A part of a rule that the rows can't hold: which condition, counted in reading order from 1, and why."""

    def __init__(self, number: int, why: Message) -> None:
        super().__init__(why.text)
        self.number, self.why = number, why

    @property
    def message(self) -> Message:
        """One sentence."""
        return say("Condition {number}: {what}", number=self.number, what=self.why)


def rows_of(rule: Rule) -> TypedGroup:
    """The rows of a rule.

    Raises:
        NotShown: a name or value that a field of a page can't hold: the empty text, or one with a line break.
    """
    seen = [0]

    def group(part: Rule) -> TypedGroup:
        return TypedGroup(part.quantifier.value, tuple(row(each) for each in part.parts))

    def row(part: Rule | Condition) -> Row:
        if isinstance(part, Rule):
            return group(part)
        seen[0] += 1
        return _condition(part, seen[0])

    return group(rule)


def _condition(condition: Condition, number: int) -> TypedCondition:
    subject, operator = condition.subject, condition.operator.value
    value = condition.value
    for text in (*_names(subject), *(value if isinstance(value, tuple) else (value,))):
        _check_text(text, number)
    if isinstance(subject, BehaviourCount):
        what = subject.behaviour
        where = what.where or ("", "")
        return TypedCondition(
            "behaviour",
            what.event,
            operator,
            json.dumps(value),
            NUMBER,
            days=str(subject.days),
            property=where[0],
            property_value=where[1],
            distinct=what.distinct or "",
        )
    kind = "feature" if isinstance(subject, Feature) else "trait"
    if isinstance(value, tuple):
        return TypedCondition(kind, subject.name, operator, values=tuple(dict.fromkeys(map(as_json, value))))
    typed, of_kind = typed_value(value)
    return TypedCondition(kind, subject.name, operator, typed, of_kind)


def _names(subject: Trait | BehaviourCount | Feature) -> tuple[str, ...]:
    if not isinstance(subject, BehaviourCount):
        return (subject.name,)
    what: Behaviour = subject.behaviour
    return (what.event, *(what.where or ()), *((what.distinct,) if what.distinct else ()))


def _check_text(value: Scalar, number: int) -> None:
    if not isinstance(value, str):
        return
    if not value:
        raise NotShown(number, say("it compares with an empty text, which can only be written as text."))
    if not value.isprintable():
        what = say("{name!r} holds a line break or another invisible character; edit it as text.", name=value)
        raise NotShown(number, what)


def typed_value(value: Scalar) -> tuple[str, str]:
    """A value as a field holds it, and its kind."""
    if isinstance(value, bool):
        return json.dumps(value), TRUTH
    return (value, TEXT) if isinstance(value, str) else (json.dumps(value), NUMBER)


def as_json(value: Scalar) -> str:
    """A value as JSON, so that the text "1", the number 1 and true stay three values."""
    return json.dumps(value, ensure_ascii=False)
