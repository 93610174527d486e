"""Rule segments: which units a rule holds for, previewed or published through the same membership as clusters."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from django.db import transaction

from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from segments.published.publish import first_membership, open_model
from segments.published.rule_members import evaluate_rule
from segments.rules import is_live, parse_rule, sentence

if TYPE_CHECKING:
    pass

Place = Membership.Place


@dataclass(frozen=True)
class Preview:
    """What a rule would take: `members` of `units`; `live` when it can be answered during an assignment."""

    units: int
    members: int
    live: bool
    sentence: str


def preview_rule(*, signup_event: str, rule: dict[str, Any]) -> Preview:
    """How many units a rule would take now. Nothing is stored.

    Raises:
        Refused: a rule that can't be read, or an event that the log doesn't have.
    """
    parsed = parse_rule(rule)
    units, flags = evaluate_rule(parsed, signup_event)
    return Preview(len(units), int(flags.sum()), is_live(parsed), sentence(parsed))


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
    evaluate_rule(parsed, signup_event)  # refuses unknown events before anything is written
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
