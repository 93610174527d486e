"""The one place where assignment asks who a unit is.

Rules have the form of `segments.rules`: ``{"all" | "any" | "none": [condition, ...]}``, where a condition on a trait is
``{"trait": name, "is" | "is_not" | "in" | "at_least" | "at_most" | "exists": value}``. A missing trait makes its
condition false, and so does a condition that can't be evaluated live: mistakes exclude, they never include.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from experiments.evaluation import Row

PRIVATE = ("segments", "targetingKey")  # membership is ours to look up, whatever a caller says


def segment_of(unit: str, traits: Mapping[str, Any], rows: Iterable[Row]) -> Row | None:
    """The first row of the audience that the unit belongs to; None when there is none.

    The row and not only its segment's key, since a row for everyone has no key.

    Args:
        unit: the id, for published membership.
        traits: stored traits with the caller's context over them.
        rows: in order.
    """
    for row in rows:
        if row.segment is None:
            return row
        if row.rule is not None and matches(row.rule, traits):
            return row
        if row.rule is None and row.segment in members_of(unit):
            return row
    return None


def members_of(unit: str) -> frozenset[str]:
    """Keys of the published segments that the unit is a member of."""
    return frozenset()


def traits_with(stored: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a unit now: the caller knows best, a second ago it may have signed up."""
    return {**stored, **{name: value for name, value in context.items() if name not in PRIVATE}}


def matches(rule: Any, traits: Mapping[str, Any]) -> bool:
    """True when the unit's traits meet the rule."""
    if not isinstance(rule, Mapping):
        return False
    for word, decide in (("all", all), ("any", any)):
        if word in rule:
            return decide(matches(part, traits) for part in rule[word])
    if "none" in rule:
        return not any(matches(part, traits) for part in rule["none"])
    return "trait" in rule and _meets(rule, traits.get(rule["trait"]))


def _meets(condition: Mapping[str, Any], value: Any) -> bool:
    if "exists" in condition:
        return (value is not None) == bool(condition["exists"])
    if value is None:
        return False
    try:
        if "is" in condition:
            return bool(value == condition["is"])
        if "is_not" in condition:
            return bool(value != condition["is_not"])
        if "in" in condition:
            return value in condition["in"]
        if "at_least" in condition:
            return bool(value >= condition["at_least"])
        return "at_most" in condition and bool(value <= condition["at_most"])
    except TypeError:  # a text against a number
        return False
