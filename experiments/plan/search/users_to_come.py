"""Possible audiences: everyone and each published, targetable segment, with their users of four weeks."""

from collections.abc import Mapping
from dataclasses import replace

from experiments.plan.nudge_arms.acts_before import Before, Subject, acts_before
from experiments.plan.search.design_options import EVERYONE, Audience
from segments.models import Membership, Segment, SegmentVersion

MOST_VERSIONS = 5  # each costs a warehouse query


def audiences(subject: Subject, *, coverage: float = 1.0, segments: bool = True) -> tuple[Audience, ...]:
    """Everyone and the segments of the current versions, with their units a day, outcome and reach.

    Args:
        subject: behaviour and outcome.
        coverage: share of the units that may be enrolled.
        segments: query segments, too.

    Raises:
        Refused: as `acts_before`.
    """
    groups = _members() if segments else []
    found: dict[str, Before] = {}
    for members in groups or [{}]:
        asked = acts_before(subject, members)
        found |= {name: before for name, before in asked.items() if name != EVERYONE or EVERYONE not in found}
    return tuple(_audience(name, before, subject, coverage) for name, before in sorted(found.items()))


def of_numbers(audience: tuple[Audience, ...], daily_units: float) -> tuple[Audience, ...]:
    """The audiences scaled to another total of units a day: segments keep their shares."""
    whole = next(one.per_day for one in audience if one.segment == EVERYONE)
    return tuple(replace(one, per_day=one.per_day / whole * daily_units) for one in audience)


def _members() -> list[Mapping[str, str]]:
    """Segment by unit, for each current version with segments that may be targeted."""
    found = []
    for version in SegmentVersion.objects.current().order_by("model_id")[:MOST_VERSIONS]:
        rows = Segment.objects.light("version__model").filter(version=version, targetable=True)
        slugs = {row.pk: row.slug for row in rows}
        members = Membership.objects.filter(segment__in=slugs).values_list("unit", "segment_id")
        found.append({str(unit): slugs[int(pk or 0)] for unit, pk in members.iterator()})
    return [one for one in found if one]


def _audience(name: str, before: Before, subject: Subject, coverage: float) -> Audience:
    reach = before.reach(subject.times)
    return Audience(name, before.per_day * coverage, before.base, before.sd, reach, before.last_day)
