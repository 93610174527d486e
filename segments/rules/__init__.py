"""Rule segments: conditions on traits, behaviour counts and features, stored as JSON. See docs/methods/profiles.md."""

from segments.rules.matching import Facts, matches, members
from segments.rules.parsing import MAX_CONDITIONS, MAX_DAYS, MAX_DEPTH, parse_rule
from segments.rules.records import (
    FEATURES,
    BehaviourCount,
    Condition,
    Feature,
    Needs,
    Operator,
    Quantifier,
    Rule,
    Subject,
    Trait,
    is_live,
    needs,
    to_document,
)
from segments.rules.wording import sentence

__all__ = [
    "FEATURES",
    "MAX_CONDITIONS",
    "MAX_DAYS",
    "MAX_DEPTH",
    "BehaviourCount",
    "Condition",
    "Facts",
    "Feature",
    "Needs",
    "Operator",
    "Quantifier",
    "Rule",
    "Subject",
    "Trait",
    "is_live",
    "matches",
    "members",
    "needs",
    "parse_rule",
    "sentence",
    "to_document",
]
