"""What the last runs of a kind took: done ones alone, the latest first, whatever version wrote them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from reporting.document import dump
from runs.models import Run
from runs.perform import LAST, last_spent
from runs.run_times import Spent
from segments.models import SegmentationRun

pytestmark = pytest.mark.django_db


def run(seconds: float, ago: float, status: str = Run.Status.DONE, spent: object = None) -> None:
    kept = dump(Spent(seconds, 1.0, 1.0, 2, {"counting": seconds}, {"users": 10})) if spent is None else spent
    at = timezone.now() - timedelta(hours=ago)
    SegmentationRun.objects.create(status=status, finished_at=at, payload={"spent": kept, "large": "x"})


def test_last_spent__more_runs_than_count__are_the_latest_of_them_in_order() -> None:
    for hours in range(LAST + 2):
        run(float(hours), hours)

    assert [spent.seconds for spent in last_spent(SegmentationRun)] == [float(hours) for hours in range(LAST)]


@pytest.mark.parametrize("status", [one for one in Run.Status if one != Run.Status.DONE])
def test_last_spent__a_run_that_is_not_done__measured_nothing(status: str) -> None:
    run(5.0, 0, status)
    run(7.0, 1)

    assert [spent.seconds for spent in last_spent(SegmentationRun)] == [7.0]


def test_last_spent__payloads_of_earlier_versions__are_read_as_far_as_they_go() -> None:
    run(0, 0, spent={"seconds": 3.0, "processor_seconds": 4.0, "peak_mb": 5.0, "workers": 2})  # 0.4: no steps
    run(0, 1, spent="nonsense")
    SegmentationRun.objects.create(status=Run.Status.DONE, finished_at=timezone.now(), payload={})  # 0.3
    SegmentationRun.objects.create(status=Run.Status.DONE, finished_at=timezone.now(), payload=None)

    (found,) = last_spent(SegmentationRun)

    assert (found.seconds, found.steps, found.size, found.compiled) == (3.0, {}, {}, False)
