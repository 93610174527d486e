"""Evaluate a rule for one unit from its facts, or for many from columns, with the same result.

An unknown fact makes a condition false, also `is_not` and `at_most` (only ``exists: false`` is true then), so that a
mistake excludes units rather than includes them. Values of different types are not equal: the text "1", the number 1
and true are three values, as in the SDKs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

from segments.rules.records import (
    BehaviourCount,
    Condition,
    Feature,
    Operator,
    Quantifier,
    RecentCount,
    Rule,
    Subject,
    Trait,
)

if TYPE_CHECKING:
    import numpy as np

# NumPy is loaded by `members` alone, and nothing is taken from `segments.search.ranks`: where rules decide an
# assignment, a web worker needs neither NumPy nor SciPy.
type Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Facts:
    """Facts of one unit. A count of 0 must be given as 0: a missing count is unknown.

    Attributes:
        traits: by name; None is unknown.
        counts: events by behaviour and days; of the last days also active days.
        features: by name, see `FEATURES`.
    """

    traits: Mapping[str, object] = field(default_factory=dict)
    counts: Mapping[BehaviourCount | RecentCount, float] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)


def matches(rule: Rule, facts: Facts) -> bool:
    """Whether the rule holds for one unit. Missing facts make a condition false, never an error."""
    answers = (
        matches(part, facts) if isinstance(part, Rule) else _holds(part, _fact(part.subject, facts))
        for part in rule.parts
    )
    if rule.quantifier is Quantifier.ALL:
        return all(answers)
    holds = any(answers)
    return holds if rule.quantifier is Quantifier.ANY else not holds


def members(rule: Rule, columns: Mapping[Subject, np.ndarray[Any, Any]], *, units: int) -> Flags:
    """Whether the rule holds for each of many units, as by `matches`.

    Args:
        rule: the rule.
        columns: one array of length `units` per subject. Traits are objects, texts or numbers, None or NaN where
            unknown; counts and features are numbers, NaN where unknown. A subject without column is unknown for all.
        units: number of units.

    Raises:
        ValueError: a column of another length.
    """
    import numpy as np

    answers = [
        members(part, columns, units=units) if isinstance(part, Rule) else _column(part, columns, units)
        for part in rule.parts
    ]
    if rule.quantifier is Quantifier.ALL:
        return reduce(np.logical_and, answers)
    flags: Flags = reduce(np.logical_or, answers)
    return flags if rule.quantifier is Quantifier.ANY else ~flags


def _fact(subject: Subject, facts: Facts) -> object:
    if isinstance(subject, Trait):
        return facts.traits.get(subject.name)
    return facts.features.get(subject.name) if isinstance(subject, Feature) else facts.counts.get(subject)


def _column(condition: Condition, columns: Mapping[Subject, np.ndarray[Any, Any]], units: int) -> Flags:
    import numpy as np

    column = columns.get(condition.subject)
    if column is None:
        return np.full(units, _holds(condition, None))
    if column.shape != (units,):
        raise ValueError(f"the column of {condition.subject} has the shape {column.shape}, not ({units},)")
    if isinstance(condition.subject, Trait):
        # Unit by unit in Python, since NumPy would not keep 1, True and "1" apart.
        return np.fromiter((_holds(condition, value) for value in column.tolist()), dtype=np.bool_, count=units)
    # A comparison with NaN is false, as required for unknown values.
    numbers, bound = column.astype(np.float64), _bound(condition)
    return np.asarray(numbers >= bound if condition.operator is Operator.AT_LEAST else numbers <= bound)


def _holds(condition: Condition, fact: object) -> bool:
    unknown = fact is None or fact != fact
    if condition.operator is Operator.EXISTS:
        return unknown is not condition.value
    if unknown:
        return False
    match condition.operator:
        case Operator.IS:
            return _same(fact, condition.value)
        case Operator.IS_NOT:
            return not _same(fact, condition.value)
        case Operator.IN:
            return isinstance(condition.value, tuple) and any(_same(fact, value) for value in condition.value)
    if isinstance(fact, bool) or not isinstance(fact, int | float):
        return False
    return fact >= _bound(condition) if condition.operator is Operator.AT_LEAST else fact <= _bound(condition)


def _bound(condition: Condition) -> float:
    if not isinstance(condition.value, int | float):
        raise ValueError(f"{condition.operator} needs a number, not {condition.value!r}")
    return condition.value


def _same(fact: object, value: object) -> bool:
    return _kind(fact) == _kind(value) and fact == value


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "other"
