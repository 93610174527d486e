"""A rule: its records, its JSON form, in plain words, and the facts of a unit that are needed to evaluate it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from sys import float_info
from typing import Any

from events.metrics import Behaviour, parse_behaviour, sentences
from events.windows import LastDays
from reporting.words import Message, days_words, gettext, say
from runs.refusals import Refused

Scalar = str | bool | int | float

# Features that the warehouse has for every unit: number of active days, of sessions, days since the last activity,
# days since the first.
FEATURES = ("active_days", "sessions", "recency", "tenure")
ACTIVE_DAYS = FEATURES[0]  # the only one that can be counted on the last days, too


class Quantifier(StrEnum):
    """How the parts of a rule are joined."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


class Operator(StrEnum):
    """Comparison of a condition's subject with its value."""

    IS = "is"
    IS_NOT = "is_not"
    IN = "in"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    EXISTS = "exists"


@dataclass(frozen=True)
class Trait:
    """A property of a unit: platform, country, plan."""

    name: str


@dataclass(frozen=True)
class BehaviourCount:
    """How often a unit did a behaviour on the first `days` days from its anchor, days 0 to days - 1."""

    behaviour: Behaviour
    days: int


@dataclass(frozen=True)
class Feature:
    """One of `FEATURES`."""

    name: str


@dataclass(frozen=True)
class RecentCount:
    """How often a unit did a behaviour on the last days of the data, or, without one, on how many it was active.

    Days before a unit's anchor count nothing. The number changes with time alone.
    """

    behaviour: Behaviour | None
    days: LastDays


Subject = Trait | BehaviourCount | Feature | RecentCount


@dataclass(frozen=True)
class Condition:
    """One condition on a unit. `value` is a tuple for `in` and a boolean for `exists`."""

    subject: Subject
    operator: Operator
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True)
class Rule:
    """Conditions and rules, all, any or none of which must hold."""

    quantifier: Quantifier
    parts: tuple["Condition | Rule", ...]


@dataclass(frozen=True)
class Needs:
    """Subjects of a rule, without duplicates and in a fixed order, for one warehouse query."""

    traits: tuple[str, ...]
    behaviours: tuple[BehaviourCount, ...]
    features: tuple[str, ...]
    recent: tuple[RecentCount, ...] = ()


def is_finite(number: float) -> bool:
    """Whether a number fits in a double; `math.isfinite` raises for an integer that is too large."""
    return abs(number) <= float_info.max


def to_document(rule: Rule | Condition) -> dict[str, Any]:
    """The rule as the JSON document that `parse_rule` reads back."""
    if isinstance(rule, Rule):
        return {rule.quantifier.value: [to_document(part) for part in rule.parts]}
    value = list(rule.value) if isinstance(rule.value, tuple) else rule.value
    subject = rule.subject
    if isinstance(subject, BehaviourCount):
        return {"behaviour": str(subject.behaviour), "days": subject.days, rule.operator.value: value}
    if isinstance(subject, RecentCount):
        what = {"feature": ACTIVE_DAYS} if subject.behaviour is None else {"behaviour": str(subject.behaviour)}
        before = {"before": subject.days.before} if subject.days.before else {}
        return {**what, "last": subject.days.days, **before, rule.operator.value: value}
    return {"trait" if isinstance(subject, Trait) else "feature": subject.name, rule.operator.value: value}


def conditions(rule: Rule) -> Iterator[Condition]:
    """Every condition of a rule, at any depth."""
    for part in rule.parts:
        if isinstance(part, Rule):
            yield from conditions(part)
        else:
            yield part


def needs(rule: Rule) -> Needs:
    """Traits, counts and features that the rule depends on."""
    subjects = {condition.subject for condition in conditions(rule)}
    counts = [subject for subject in subjects if isinstance(subject, BehaviourCount)]
    recent = [subject for subject in subjects if isinstance(subject, RecentCount)]
    return Needs(
        traits=tuple(sorted(subject.name for subject in subjects if isinstance(subject, Trait))),
        behaviours=tuple(sorted(counts, key=lambda count: (str(count.behaviour), count.days))),
        features=tuple(sorted(subject.name for subject in subjects if isinstance(subject, Feature))),
        recent=tuple(
            sorted(recent, key=lambda count: (str(count.behaviour or ""), count.days.days, count.days.before))
        ),
    )


def is_live(rule: Rule) -> bool:
    """Whether the rule depends only on traits, so that it can be evaluated at assignment."""
    return all(isinstance(condition.subject, Trait) for condition in conditions(rule))


def grows_old(rule: Rule) -> bool:
    """Whether units come and go as days pass, without any event or trait of theirs."""
    subjects = needs(rule)
    return bool(subjects.recent) or not {"recency", "tenure"}.isdisjoint(subjects.features)


# Parse a rule from a JSON document; an error is one sentence that names the place.

MAX_DEPTH = 5
MAX_CONDITIONS = 100
MAX_DAYS = 3650
TOP = say("the rule")
SUBJECTS = ("trait", "behaviour", "feature")
DAYS_OF = {"behaviour": ("days", "last", "before"), "feature": ("last", "before")}  # keys beside the subject's name
NUMERIC = (Operator.AT_LEAST, Operator.AT_MOST)


def parse_rule(document: object) -> Rule:
    """A rule from its JSON document.

    ``{"all" | "any" | "none": [...]}`` holds conditions and further such documents, five deep at most. A condition is
    ``{"trait": NAME, OP: VALUE}``, ``{"behaviour": EVENT, "days": DAYS, OP: TIMES}`` or
    ``{"feature": NAME, OP: NUMBER}``. With ``"last": DAYS`` in place of ``"days"``, an event and the feature
    ``active_days`` count on the last days of the data; with ``"before": DAYS``, too, on those that end so many days
    earlier.

    Raises:
        Refused: names the path of the invalid part, for example ``all[1].any[0]``.
    """
    rule = _rule(document, "", 1)
    count = _count(rule)
    if count > MAX_CONDITIONS:
        raise Refused("The rule has {count} conditions; {most} is the most.", count=count, most=MAX_CONDITIONS)
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
    allowed = {named[0], *DAYS_OF.get(named[0], ())}
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
        last = _last_days(document, path)
        if last is not None and name != ACTIVE_DAYS:
            raise _refuse(f"{path}.last", say("only {name} can be counted on the last days.", name=ACTIVE_DAYS))
        return Feature(name) if last is None else RecentCount(None, last)
    last = _last_days(document, path)
    if last is not None and "days" in document:
        raise _refuse(path, say('a condition takes "days" or "last", not both.'))
    days = _days(document, "days", path) if last is None else 0
    try:
        behaviour = parse_behaviour(name)
    except Refused as refusal:
        raise _refuse(f"{path}.behaviour", refusal.message) from None
    return BehaviourCount(behaviour, days) if last is None else RecentCount(behaviour, last)


def _last_days(document: dict[str, Any], path: str) -> LastDays | None:
    if "last" not in document:
        if "before" in document:
            raise _refuse(f"{path}.before", say('needs "last" beside it.'))
        return None
    return LastDays(_days(document, "last", path), _days(document, "before", path) if "before" in document else 0)


def _days(document: dict[str, Any], key: str, path: str) -> int:
    days = document.get(key)
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MAX_DAYS:
        raise _refuse(f"{path}.{key}", say("needs a whole number of days from 1 to {most}.", most=MAX_DAYS))
    return days


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
    times = isinstance(subject, BehaviourCount | RecentCount) and subject.behaviour is not None
    if times and not isinstance(value, int):
        raise _refuse(path, say("needs a whole number of times."))
    return value


# A rule in plain words.


def sentence(rule: Rule | Condition) -> str:
    """The rule in words, for example ``all of (platform is ios; number of friend_add in the first 7 days at
    least 3)``."""
    if isinstance(rule, Rule):
        words = {
            Quantifier.ALL: gettext("all of ({parts})"),
            Quantifier.ANY: gettext("any of ({parts})"),
            Quantifier.NONE: gettext("none of ({parts})"),
        }
        return words[rule.quantifier].format(parts="; ".join(sentence(part) for part in rule.parts))
    subject = rule.subject
    if isinstance(subject, Trait):
        return _trait_words(rule).format(name=subject.name, value=_values(rule))
    least = rule.operator is Operator.AT_LEAST
    if isinstance(subject, RecentCount):
        return _recent_words(subject, least=least).format(
            what=recent_name(subject),
            days=days_words(subject.days.days),
            before=days_words(subject.days.before),
            value=rule.value,
        )
    if isinstance(subject, Feature):
        words_feature = gettext("{name} at least {value}") if least else gettext("{name} at most {value}")
        return words_feature.format(name=feature_name(subject.name), value=rule.value)
    words_count = (
        gettext("{behaviour} in the first {days} at least {times}")
        if least
        else gettext("{behaviour} in the first {days} at most {times}")
    )
    what = sentences.sentence(subject.behaviour)
    return words_count.format(behaviour=what, times=rule.value, days=days_words(subject.days))


def feature_name(name: str) -> str:
    """The name of one of `FEATURES` in words."""
    return {
        "active_days": gettext("active days"),
        "sessions": gettext("sessions"),
        "recency": gettext("days since the last activity"),
        "tenure": gettext("days since the first activity"),
    }[name]


def recent_name(subject: RecentCount) -> str:
    """What is counted, in words."""
    return feature_name(ACTIVE_DAYS) if subject.behaviour is None else sentences.sentence(subject.behaviour)


def _recent_words(subject: RecentCount, *, least: bool) -> str:
    if subject.days.before:
        return (
            gettext("{what} in the {days} before the last {before} at least {value}")
            if least
            else gettext("{what} in the {days} before the last {before} at most {value}")
        )
    return (
        gettext("{what} in the last {days} at least {value}")
        if least
        else gettext("{what} in the last {days} at most {value}")
    )


def _trait_words(condition: Condition) -> str:
    if condition.operator is Operator.EXISTS:
        return gettext("{name} is known") if condition.value else gettext("{name} is not known")
    return {
        Operator.IS: gettext("{name} is {value}"),
        Operator.IS_NOT: gettext("{name} is known and not {value}"),
        Operator.IN: gettext("{name} is one of {value}"),
        Operator.AT_LEAST: gettext("{name} at least {value}"),
        Operator.AT_MOST: gettext("{name} at most {value}"),
    }[condition.operator]


def _values(condition: Condition) -> str:
    each = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    return ", ".join({True: "true", False: "false"}[value] if isinstance(value, bool) else str(value) for value in each)
