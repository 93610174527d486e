"""What assignment knows of a unit: its traits, its row of the audience, and the rules that it fulfils.

Rules have the form of `segments.rules`: ``{"all" | "any" | "none": [condition, ...]}``, where a condition on a trait is
``{"trait": name, "is" | "is_not" | "in" | "at_least" | "at_most" | "exists": value}``. A missing trait makes its
condition false, and so does a condition that can't be evaluated live: mistakes exclude, they never include.
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

PRIVATE = ("segments", "targetingKey")  # membership is ours to look up, whatever a caller says


def segment_of[R: (Row, RolloutRow)](
    traits: Mapping[str, Any], rows: Iterable[R], published: Callable[[], frozenset[str]]
) -> R | None:
    """The first row of an audience or of a rollout that the unit belongs to; None when there is none.

    The row and not only its segment's key, since a row for everyone has no key.

    Args:
        traits: stored traits of the unit with the caller's context over them.
        rows: in order.
        published: the segments that the unit belongs to. It costs a look-up and is asked only where a row needs it.
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
    """What is known of a unit now: the caller knows best, a second ago it may have signed up."""
    return {**stored, **{name: value for name, value in context.items() if name not in PRIVATE}}


def matches(rule: Any, traits: Mapping[str, Any]) -> bool:
    """True when the unit's traits meet the rule; a rule that can't be read takes nobody."""
    try:
        return rules.matches(_parsed(json.dumps(rule, sort_keys=True)), Facts(traits=traits))
    except Refused:
        return False


@lru_cache(maxsize=1_000)
def _parsed(text: str) -> Rule:
    return parse_rule(json.loads(text))
