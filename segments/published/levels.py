"""The levels of activity of published segmentations, for metrics, studies and pages."""

from datetime import datetime
from functools import lru_cache

from events.metrics.levels import Levels
from runs.payloads import Unreadable
from runs.refusals import Refused
from segments.models import SegmentVersion
from segments.search.result import SEGMENTATION
from stats.results import NotComputable


def find(model: str, number: int | None) -> Levels | None:
    """The levels of a version, which never change; None for one that isn't published here.

    Args:
        model: its key.
        number: of the version; None for the newest with members.

    Raises:
        Refused: the version has no levels: it is a rule or a list, or too few different numbers of days were cut.
    """
    versions = SegmentVersion.objects.filter(model__key=model)
    versions = versions.current() if number is None else versions.filter(number=number)
    found = versions.values_list("number", "pk", "published_at").first()
    return None if found is None else _levels(model, *found)


@lru_cache(maxsize=256)
def _levels(model: str, number: int, version: int, _published_at: datetime) -> Levels:
    # With the time of publication: the row of another database may have the same number.
    row = SegmentVersion.objects.select_related("run").get(pk=version)
    if row.run is None:
        raise Refused("'{key}' has no levels of activity: only a segmentation by play pattern has them.", key=model)
    report = SEGMENTATION.read(row.run.payload)
    if isinstance(report, Unreadable):
        raise Refused(report.sentence())
    cuts = report.tiers.cuts
    if isinstance(cuts, NotComputable):
        raise Refused("'{key}' has no levels of activity: its users have too few different active days.", key=model)
    return Levels(model, number, len(report.inputs.window), cuts.low, cuts.mid)


def models_with_levels() -> list[tuple[str, str, int]]:
    """Key, name and newest version of each model by play pattern that may be chosen."""
    versions = SegmentVersion.objects.light("model").current().filter(run__isnull=False, model__archived_at=None)
    return [(one.model.key, one.model.name, one.number) for one in versions.order_by("model__name")]
