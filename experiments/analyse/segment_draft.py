"""Draft a segment from an analysis's rule for whom to nudge; a person names and publishes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.text import slugify

from experiments.analyse.effects import Comparison
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Opened
from experiments.models import Analysis, Experiment
from experiments.plan.stored import plan_of
from runs.payloads import Unreadable
from runs.refusals import Refused
from segments.published.members import find_segment
from stats.policy import NudgeRule, Policy, TraitCondition
from stats.results import computable
from stats.trait_cells import SEGMENT

# Translate a rule for whom to nudge into the document of a segment by rule (`segments.rules`). Pure.

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
    rule = _segment(condition.level, segments) if condition.trait == SEGMENT else _trait(condition)
    return rule if condition.holds else {"none": [rule]}


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
    rule = segments.get(label)
    if rule is None:
        raise Refused(
            "The rule asks for the segment '{key}', which isn't a segment by rule. Choose that segment itself as the "
            "audience.",
            key=label,
        )
    return rule


LONGEST_KEY, LONGEST_NAME = 60, 100


@dataclass(frozen=True)
class SegmentDraft:
    """Values for the form of a new segment by rule, by field name."""

    key: str
    name: str
    signup_event: str
    rule: str


def variants_with_rule(result: AnalysisResult) -> tuple[str, ...]:
    """Variants for which a rule is better than nudging everybody and nudging nobody."""
    rows = result.report.outcomes[0].comparisons if isinstance(result, Opened) else ()
    return tuple(row.variant for row in rows if _proved(row) is not None)


def draft_segment(*, analysis: Analysis, variant: str) -> SegmentDraft:
    """The rule of one variant as fields of a segment. Nothing is stored: a person previews and publishes it.

    Args:
        analysis: done, with its experiment.
        variant: key of the variant with the rule.

    Raises:
        Refused: no rule is better than nudging everybody, the analysis can't be read, or a segment can't express the
            rule.
    """
    result = READOUT.of(analysis)
    if isinstance(result, Unreadable):
        raise Refused(result.sentence())
    rows = result.report.outcomes[0].comparisons if isinstance(result, Opened) else ()
    policy = next((_proved(row) for row in rows if row.variant == variant), None)
    if policy is None or policy.rule is None:
        raise Refused("No rule beats everybody in this analysis, so there is no segment to make.")
    experiment = analysis.experiment
    document = rule_document(policy.rule, _segments(experiment, policy.rule.conditions))
    return SegmentDraft(
        key=slugify(f"{experiment.key}-{variant}")[:LONGEST_KEY].strip("-"),
        name=f"{experiment.name}: {variant}"[:LONGEST_NAME],
        signup_event=plan_of(experiment).signup_event or "signup",
        rule=json.dumps(document, ensure_ascii=False, indent=2),
    )


def _proved(row: Comparison) -> Policy | None:
    policy = row.policy
    return policy if policy is not None and computable(policy) and policy.beats else None


def _segments(experiment: Experiment, conditions: tuple[TraitCondition, ...]) -> dict[str, dict[str, Any] | None]:
    """The rules of the audience's segments as they were when units were assigned, and of those that the rule names."""
    rules = {row.segment_key: row.rule for row in experiment.audience.order_by("position") if row.segment_key}
    named = {condition.level for condition in conditions if condition.trait == SEGMENT and condition.level}
    for key in (*rules, *named):
        if rules.get(key) is None:
            segment = find_segment(key)
            rules[key] = None if segment is None else segment.version.rule
    return rules
