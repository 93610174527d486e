"""Draft a segment from an analysis's rule for whom to nudge; a person names and publishes it."""

import json
from dataclasses import dataclass
from typing import Any

from django.utils.text import slugify

from experiments.analyse.analyses import read_analysis
from experiments.analyse.effects import Comparison
from experiments.analyse.for_whom.rule_document import rule_document
from experiments.analyse.result import Readout
from experiments.models import Analysis, Experiment
from experiments.plan.stored import plan_of
from runs.payloads import Unreadable
from runs.refusals import Refused
from segments.published.members import find_segment
from stats.policy import Policy, TraitCondition
from stats.results import computable
from stats.trait_cells import SEGMENT

LONGEST_KEY, LONGEST_NAME = 60, 100


@dataclass(frozen=True)
class SegmentDraft:
    """Values for the form of a new segment by rule, by field name."""

    key: str
    name: str
    signup_event: str
    rule: str


def variants_with_rule(readout: Readout) -> tuple[str, ...]:
    """Variants for which a rule is better than nudging everybody and nudging nobody."""
    rows = () if readout.report is None else readout.report.outcomes[0].comparisons
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
    readout = read_analysis(analysis)
    if isinstance(readout, Unreadable):
        raise Refused(readout.sentence())
    rows = () if readout is None or readout.report is None else readout.report.outcomes[0].comparisons
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
    found = row.policy
    return found if found is not None and computable(found) and found.beats else None


def _segments(experiment: Experiment, conditions: tuple[TraitCondition, ...]) -> dict[str, dict[str, Any] | None]:
    """The rules of the audience's segments as they were when units were assigned, and of those that the rule names."""
    found = {row.segment_key: row.rule for row in experiment.audience.order_by("position") if row.segment_key}
    named = {condition.level for condition in conditions if condition.trait == SEGMENT and condition.level}
    for key in (*found, *named):
        if found.get(key) is None:
            segment = find_segment(key)
            found[key] = None if segment is None else segment.version.rule
    return found
