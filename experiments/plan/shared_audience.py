"""Running experiments that would share units with a draft, and how many units. Experiments of one layer share none."""

from experiments.models import Assignment, Experiment
from experiments.plan.choices.cautions import SharedUnits
from experiments.plan.lifecycle import LIVE
from experiments.plan.record import WHOLE
from segments.models import Membership
from segments.published.members import find_segment

MOST_NAMED = 5


def shared_with_running(row: Experiment) -> tuple[SharedUnits, ...]:
    """Running experiments that a draft would share units with, at most five, those with most units first.

    Args:
        row: a draft with its audience, layer and holdout.
    """
    others = Experiment.objects.filter(status__in=[status.value for status in LIVE]).exclude(pk=row.pk)
    if row.layer_id is not None:
        others = others.exclude(layer=row.layer_id)
    found = [
        SharedUnits(one.key, one.title, _units(row, one), one.enrolment_closed_at is None)
        for one in others.select_related("moment")
    ]
    told = [one for one in found if one.units or one.open]
    return tuple(sorted(told, key=lambda one: -one.units)[:MOST_NAMED])


def _units(row: Experiment, other: Experiment) -> int:
    """Units of the other experiment in this audience: counted in its segments, estimated by coverage and layer."""
    if row.enrolment == Experiment.Enrolment.NEW_UNITS:
        return 0  # units of the other experiment aren't new any more
    left = Assignment.objects.filter(experiment=other)
    parts = list(row.audience.all())
    expected = float(left.count()) if not parts else 0.0  # without audience rows everyone is enrolled
    for part in parts:
        if part.segment_key is None:
            expected += left.count() * part.coverage / WHOLE
            break  # the first matching row decides, and this one matches everyone
        segment = find_segment(part.segment_key)
        if segment is None:
            continue  # reported by `audience.troubles`
        members = Membership.objects.filter(segment=segment).values("unit")
        expected += left.filter(unit__in=members).count() * part.coverage / WHOLE
        left = left.exclude(unit__in=members)
    slice_ = (row.layer_high - row.layer_low) / WHOLE if row.layer_id is not None else 1.0
    apart = 1.0 if row.holdout is None or row.holdout_id == other.holdout_id else 1 - row.holdout.share / WHOLE
    return round(expected * slice_ * apart)
