"""A published segmentation with levels of activity, its cuts made by hand."""

from dataclasses import replace
from typing import Any

from reporting.document import dump
from segments.models import SegmentationRun, SegmentModel, SegmentVersion
from segments.search.question import Inputs
from segments.search.result import SEGMENTATION
from segments.search.tiers import Cuts
from tests.segments.make_report import report


def publish_levels(
    key: str = "loyal", *, cuts: Any = None, number: int = 1, last_day: int = 6, day_mode: str = "rolling"
) -> SegmentVersion:
    """A version whose window is days 0 to `last_day`; cut so that low is at most 2 active days, middle at most 4."""
    inputs = Inputs("signup", 0, last_day, day_mode=day_mode)
    made = report(inputs=inputs)
    made = replace(made, tiers=replace(made.tiers, cuts=Cuts(2, 4) if cuts is None else cuts))
    payload = SEGMENTATION.store(made)
    run = SegmentationRun.objects.create(status=SegmentationRun.Status.DONE, inputs=dump(inputs), payload=payload)
    model, _made = SegmentModel.objects.get_or_create(key=key, defaults={"name": key.title(), "kind": "cluster"})
    return SegmentVersion.objects.create(
        model=model, number=number, run=run, inputs=dump(inputs), refreshed_at="2026-03-01T00:00:00Z"
    )
