"""Publish a rule as a segment, through the same membership as clusters."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from events.metrics.exposures import refuse_exposures
from segments.models import Segment, SegmentModel, SegmentVersion
from segments.published.publish import first_membership, open_model
from segments.published.rule_members import evaluate_rule
from segments.rules import parse_rule


def publish_rule(
    *,
    key: str,
    name: str,
    signup_event: str,
    rule: dict[str, Any],
    refresh_days: int | None = None,
    by: User | None = None,
) -> SegmentVersion:
    """Publish a rule as a segment model of one segment, or as its next version, with the membership of every unit.

    Raises:
        Refused: a rule that can't be read, an event that isn't there, or a key that belongs to clusters.
    """
    parsed = parse_rule(rule)
    refuse_exposures(rule, signup_event)
    evaluate_rule(parsed, signup_event)  # refuses unknown events, and marks of arms, before anything is written
    with transaction.atomic():
        model = open_model(key, name, SegmentModel.Kind.RULE, refresh_days, by)
        version = SegmentVersion.objects.create(
            model=model,
            number=model.next_number,
            rule=rule,
            published_by=by,
            inputs={"signup_event": signup_event, "first_day": 0, "last_day": 13},
        )
        Segment.objects.create(version=version, key="members", number=0, name=name)
    return first_membership(version)
