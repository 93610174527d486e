"""The members of an audience now, by name."""

from insight_site.models.audiences import Audience
from runs.refusals import Refused
from segments.models import Membership, Segment


def units_of(audience: Audience) -> set[str]:
    """Query the segments' memberships, or the warehouse.

    Raises:
        Refused: the segment or the moment can't be queried, or it has more users than can be listed.
    """
    from aha.moments.reach import (
        MOST,  # imports the warehouse: not for every web worker
        Reach,  # imports the warehouse: not for every web worker
        who_reached,  # imports the warehouse: not for every web worker
    )

    if audience.who != Audience.Who.SEGMENT:
        if audience.moment is None:
            raise Refused("Choose an AHA moment.", at="moment")
        return who_reached(audience.moment, Reach(audience.who))
    rows = Membership.objects.filter(segment=segment_now(audience)).order_by()
    if (number := rows.count()) > MOST:
        raise Refused("{number} users are meant; at most {most} can be listed.", number=number, most=MOST)
    return set(rows.values_list("unit", flat=True).iterator())


def segment_now(audience: Audience) -> Segment:
    """The segment in the version that new queries use.

    Raises:
        Refused: there is none, or the newest version has no group of this name.
    """
    model = audience.segment_model
    if model is None:
        raise Refused("Choose a segment.", at="segment_model")
    version = model.current
    if version is None:
        raise Refused("{segment} has no members yet.", segment=model.name)
    segment = version.segments.filter(key=audience.segment_key).first()
    if segment is None:
        raise Refused(
            "Version {number} of {segment} has no group {key} any more: choose another group.",
            number=version.number,
            segment=model.name,
            key=audience.segment_key,
        )
    return segment
