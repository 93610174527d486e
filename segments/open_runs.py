"""Segment models that are in use by open runs."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from events.upkeep.used_by import UsedBy
from runs.models import Run
from segments.models import ChurnRun, ComparisonRun


def segments_of_open_runs() -> Iterator[UsedBy]:
    """Each queued or running churn model and comparison."""
    states = (Run.Status.QUEUED, Run.Status.RUNNING)
    for churn in ChurnRun.objects.light("segment__version__model").filter(status__in=states):
        yield UsedBy("segment", churn.segment.version.model.key, _("model of leaving “{name}”").format(name=churn))
    for run in ComparisonRun.objects.light("first__version__model", "second").filter(status__in=states):
        yield UsedBy("segment", run.first.version.model.key, _("comparison “{name}”").format(name=run))
