"""Moments and segments that live experiments use."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from events.upkeep.used_by import UsedBy
from experiments.models import AudienceRow, Experiment, Rollout
from experiments.plan.lifecycle import LIVE


def uses_of_experiments() -> Iterator[UsedBy]:
    """Moments that live experiments test, and segments in their audiences and in rollouts."""
    rows = Experiment.objects.filter(status__in=LIVE).select_related("moment").defer("moment__evidence")
    names = {}
    for row in rows:
        text = _("experiment “{name}” ({state})")
        names[row.pk] = text.format(name=row.title, state=row.get_status_display())
        if row.moment is not None:
            yield UsedBy("moment", row.moment.key, names[row.pk])
    for key, experiment in AudienceRow.objects.exclude(segment_key=None).values_list("segment_key", "experiment_id"):
        if experiment in names:
            yield UsedBy("segment", str(key).partition(".v")[0], names[experiment])
    for rollout in Rollout.objects.exclude(state=Rollout.State.BACK).select_related("experiment"):
        by = _("rollout of “{name}”").format(name=rollout.experiment.title)
        for segment in {row["segment"] for row in rollout.rows if row.get("segment")}:
            yield UsedBy("segment", str(segment).partition(".v")[0], by)
