"""The records of a rule, its JSON form, and the facts of a unit that are needed to evaluate it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from sys import float_info
from typing import Any

from events.metrics import Behaviour

Scalar = str | bool | int | float

# Features that the warehouse has for every unit: number of active days, of sessions, days since the last activity,
# days since the first.
FEATURES = ("active_days", "sessions", "recency", "tenure")


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


Subject = Trait | BehaviourCount | Feature


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
    return {"trait" if isinstance(subject, Trait) else "feature": subject.name, rule.operator.value: value}


def conditions(rule: Rule) -> Iterator[Condition]:
    """Every condition of a rule, at any depth."""
    for part in rule.parts:
        if isinstance(part, Rule):
            yield from conditions(part)
        else:
            yield part


def needs(rule: Rule) -> Needs:
    """Traits, behaviour counts and features that the rule depends on."""
    subjects = {condition.subject for condition in conditions(rule)}
    counts = [subject for subject in subjects if isinstance(subject, BehaviourCount)]
    return Needs(
        traits=tuple(sorted(subject.name for subject in subjects if isinstance(subject, Trait))),
        behaviours=tuple(sorted(counts, key=lambda count: (str(count.behaviour), count.days))),
        features=tuple(sorted(subject.name for subject in subjects if isinstance(subject, Feature))),
    )


def is_live(rule: Rule) -> bool:
    """Whether the rule depends only on traits, so that it can be evaluated at assignment."""
    return all(isinstance(condition.subject, Trait) for condition in conditions(rule))
