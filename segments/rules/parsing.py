"""Parse a rule from a JSON document; an error is one sentence that names the place."""

from typing import Any

from events.metrics import parse_behaviour
from reporting.words import Message, say
from runs.refusals import Refused
from segments.rules.records import (
    FEATURES,
    BehaviourCount,
    Condition,
    Feature,
    Operator,
    Quantifier,
    Rule,
    Scalar,
    Subject,
    Trait,
    is_finite,
)

MAX_DEPTH = 5
MAX_CONDITIONS = 100
MAX_DAYS = 3650
TOP = say("the rule")
SUBJECTS = ("trait", "behaviour", "feature")
NUMERIC = (Operator.AT_LEAST, Operator.AT_MOST)


def parse_rule(document: object) -> Rule:
    """A rule from its JSON document.

    ``{"all" | "any" | "none": [...]}`` holds conditions and further such documents, five deep at most. A condition is
    ``{"trait": NAME, OP: VALUE}``, ``{"behaviour": EVENT, "days": DAYS, OP: TIMES}`` or
    ``{"feature": NAME, OP: NUMBER}``.

    Raises:
        Refused: names the path of the invalid part, for example ``all[1].any[0]``.
    """
    rule = _rule(document, "", 1)
    found = _count(rule)
    if found > MAX_CONDITIONS:
        raise Refused("The rule has {count} conditions; {most} is the most.", count=found, most=MAX_CONDITIONS)
    return rule


def _count(part: Rule | Condition) -> int:
    return sum(_count(each) for each in part.parts) if isinstance(part, Rule) else 1


def _refuse(path: str, what: Message) -> Refused:
    return Refused("At {place}: {what}", place=path or TOP, what=what)


def _rule(document: object, path: str, depth: int) -> Rule:
    if not isinstance(document, dict) or len(document) != 1 or next(iter(document)) not in list(Quantifier):
        raise _refuse(path, say('needs exactly one of "all", "any" and "none" with a list.'))
    if depth > MAX_DEPTH:
        raise _refuse(path, say("rules may be nested {most} deep at most.", most=MAX_DEPTH))
    key, parts = next(iter(document.items()))
    here = f"{path}.{key}" if path else str(key)
    if not isinstance(parts, list) or not parts:
        raise _refuse(here, say("needs a list with at least one condition."))
    return Rule(Quantifier(key), tuple(_part(part, f"{here}[{i}]", depth) for i, part in enumerate(parts)))


def _part(document: object, path: str, depth: int) -> Rule | Condition:
    if not isinstance(document, dict):
        raise _refuse(path, say("a condition must be an object."))
    if any(key in document for key in Quantifier):
        return _rule(document, path, depth + 1)
    return _condition(document, path)


def _condition(document: dict[str, Any], path: str) -> Condition:
    named = [key for key in SUBJECTS if key in document]
    if len(named) != 1:
        raise _refuse(path, say('a condition needs exactly one of "trait", "behaviour" and "feature".'))
    allowed = {named[0], "days"} if named[0] == "behaviour" else {named[0]}
    operators = [key for key in document if key not in allowed]
    unknown = [key for key in operators if key not in list(Operator)]
    if unknown:
        text = say("{name!r} is not known here; use one of {names}.", name=unknown[0], names=", ".join(Operator))
        raise _refuse(path, text)
    if len(operators) != 1:
        raise _refuse(path, say("a condition needs exactly one of {names}.", names=", ".join(Operator)))
    operator = Operator(operators[0])
    subject = _subject(document, named[0], path)
    if not isinstance(subject, Trait) and operator not in NUMERIC:
        raise _refuse(path, say('a {kind} can be compared by "at_least" and "at_most" only.', kind=named[0]))
    return Condition(subject, operator, _value(document[operator], operator, subject, f"{path}.{operator}"))


def _subject(document: dict[str, Any], kind: str, path: str) -> Subject:
    name = document[kind]
    if not isinstance(name, str) or not name:
        raise _refuse(f"{path}.{kind}", say("needs a name."))
    if kind == "trait":
        return Trait(name)
    if kind == "feature":
        if name not in FEATURES:
            what = say("{name!r} is no feature; choose one of {names}.", name=name, names=", ".join(FEATURES))
            raise _refuse(f"{path}.feature", what)
        return Feature(name)
    days = document.get("days")
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MAX_DAYS:
        raise _refuse(f"{path}.days", say("needs a whole number of days from 1 to {most}.", most=MAX_DAYS))
    try:
        return BehaviourCount(parse_behaviour(name), days)
    except Refused as refusal:
        raise _refuse(f"{path}.behaviour", refusal.message) from None


def _value(value: object, operator: Operator, subject: Subject, path: str) -> Scalar | tuple[Scalar, ...]:
    match operator:
        case Operator.EXISTS:
            if not isinstance(value, bool):
                raise _refuse(path, say("needs true or false."))
            return value
        case Operator.IN:
            if not isinstance(value, list) or not value:
                raise _refuse(path, say("needs a list with at least one value."))
            return tuple(_scalar(each, f"{path}[{i}]") for i, each in enumerate(value))
        case Operator.AT_LEAST | Operator.AT_MOST:
            return _number(value, subject, path)
    return _scalar(value, path)


def _scalar(value: object, path: str) -> Scalar:
    if isinstance(value, str | bool) or (isinstance(value, int | float) and is_finite(value)):
        return value
    raise _refuse(path, say("needs a text, a number, true or false."))


def _number(value: object, subject: Subject, path: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
        raise _refuse(path, say("needs a number."))
    if not isinstance(subject, Trait) and value < 0:
        raise _refuse(path, say("needs a number of 0 or more."))
    if isinstance(subject, BehaviourCount) and not isinstance(value, int):
        raise _refuse(path, say("needs a whole number of times."))
    return value
