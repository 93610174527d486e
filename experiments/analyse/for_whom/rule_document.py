"""Translate a rule for whom to nudge into the document of a segment by rule (`segments.rules`). Pure."""

import json
from collections.abc import Mapping
from typing import Any

from runs.refusals import Refused
from stats.policy import NudgeRule, TraitCondition
from stats.trait_cells import SEGMENT

type Document = dict[str, Any]

# Computed from the log before the exposure: not sent as a trait.
COUNTED = ("active_days_before",)


def rule_document(rule: NudgeRule, segments: Mapping[str, Document | None]) -> Document:
    """The same units as a segment by rule, where that language can express them.

    A level is the text of a signup's property; a trait may be sent as the number or boolean that this text spells, so
    both match. "Is not" includes units whose trait isn't known, as the analysis does.

    Args:
        rule: found in an analysis.
        segments: rule of every segment that the analysis knows, by its label; None for a segment by play pattern.

    Raises:
        Refused: a condition that the language can't express: a segment by play pattern, or a count that is no trait.
    """
    parts = [_condition(condition, segments) for condition in rule.conditions]
    return {"any" if rule.any_of else "all": parts}


def _condition(condition: TraitCondition, segments: Mapping[str, Document | None]) -> Document:
    found = _segment(condition.level, segments) if condition.trait == SEGMENT else _trait(condition)
    return found if condition.holds else {"none": [found]}


def _trait(condition: TraitCondition) -> Document:
    name, level = condition.trait, condition.level
    if name in COUNTED:
        raise Refused("The rule asks for {name}, which is counted from the log and isn't a trait of users.", name=name)
    if level == "":
        return {"trait": name, "exists": False}
    value = _scalar(level)
    return {"trait": name, "is": level} if value is None else {"trait": name, "in": [level, value]}


def _scalar(text: str) -> bool | int | float | None:
    """The number or boolean that a text spells; None for other text."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    finite = isinstance(value, bool | int | float) and value == value and abs(value) != float("inf")
    return value if finite else None


def _segment(label: str, segments: Mapping[str, Document | None]) -> Document:
    if label == "":
        others = [_known(other, segments) for other in segments if other]
        return {"none": others}
    return _known(label, segments)


def _known(label: str, segments: Mapping[str, Document | None]) -> Document:
    found = segments.get(label)
    if found is None:
        raise Refused(
            "The rule asks for the segment '{key}', which isn't a segment by rule. Choose that segment itself as the "
            "audience.",
            key=label,
        )
    return found
