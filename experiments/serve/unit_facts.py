"""Traits of a unit, its audience row, and rules that it matches, for assignment.

Rules have the form of `segments.rules`: ``{"all" | "any" | "none": [condition, ...]}``, where a condition on a trait is
``{"trait": name, "is" | "is_not" | "in" | "at_least" | "at_most" | "exists": value}``. A condition on a missing trait
is false, and so is a condition that can't be evaluated live: errors exclude units, they never include them.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from experiments.draw.evaluation import Row
from experiments.draw.rollout_record import RolloutRow
from runs.refusals import Refused
from segments import rules
from segments.rules import Facts, Rule, parse_rule

PRIVATE = ("segments", "targetingKey")  # membership is looked up, whatever a caller sends


def segment_of[R: (Row, RolloutRow)](
    traits: Mapping[str, Any], rows: Iterable[R], published: Callable[[], frozenset[str]]
) -> R | None:
    """The first row of an audience or of a rollout that the unit belongs to; None without one.

    Returns the row rather than its segment's key, since a row for everyone has no key.

    Args:
        traits: stored traits of the unit with the caller's context over them.
        rows: in order.
        published: function that returns the unit's segments. It costs a look-up and is called only where a row needs
            it.
    """
    for row in rows:
        if row.segment is None:
            return row
        if row.rule is not None and matches(row.rule, traits):
            return row
        if row.rule is None and row.segment in published():
            return row
    return None


def traits_with(stored: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Stored traits of a unit overridden by the caller's context, which is newer."""
    return {**stored, **{name: value for name, value in context.items() if name not in PRIVATE}}


def matches(rule: Any, traits: Mapping[str, Any]) -> bool:
    """True when the unit's traits match the rule; a rule that can't be parsed matches no unit."""
    try:
        return rules.matches(_parsed(json.dumps(rule, sort_keys=True)), Facts(traits=traits))
    except Refused:
        return False


@lru_cache(maxsize=1_000)
def _parsed(text: str) -> Rule:
    return parse_rule(json.loads(text))
