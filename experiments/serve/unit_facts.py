"""The one place where assignment asks who a unit is.

Rules have the form of `segments.rules`: ``{"all" | "any" | "none": [condition, ...]}``, where a condition on a trait is
``{"trait": name, "is" | "is_not" | "in" | "at_least" | "at_most" | "exists": value}``. A missing trait makes its
condition false, and so does a condition that can't be evaluated live: mistakes exclude, they never include.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext

from experiments.draw.evaluation import Row
from experiments.models import Experiment
from runs.refusals import Refused
from segments import rules
from segments.published.publish import find_segment
from segments.rules import Facts, Rule, is_live, parse_rule

PRIVATE = ("segments", "targetingKey")  # membership is ours to look up, whatever a caller says


def segment_of(traits: Mapping[str, Any], rows: Iterable[Row], published: Callable[[], frozenset[str]]) -> Row | None:
    """The first row of the audience that the unit belongs to; None when there is none.

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


def freeze_audience(experiment: Experiment) -> None:
    """At the start: every segment of the audience is looked up, and a rule on traits alone is copied into its row.

    Raises:
        Refused: a segment that isn't published, or a group too unstable to be targeted.
    """
    for row in experiment.audience.select_for_update().filter(segment_key__isnull=False, rule__isnull=True):
        segment = find_segment(row.segment_key or "")
        if segment is None:
            raise Refused(gettext("There is no published segment '{key}'.").format(key=row.segment_key))
        if not segment.targetable:
            text = gettext("The segment '{key}' is too unstable to be targeted: another sample would not show it.")
            raise Refused(text.format(key=row.segment_key))
        version = segment.version
        if version.rule is not None and is_live(parse_rule(version.rule)):
            row.rule = version.rule  # answered from traits while a unit asks; a later version doesn't change it
            row.save(update_fields=["rule"])
        version.pinned = True
        version.save(update_fields=["pinned"])


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
