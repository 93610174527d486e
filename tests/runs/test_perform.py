"""A run's life: taken once, followed, cancelled, failed with its reason."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django.utils.translation import override

from runs.models import Run
from runs.perform import perform, request_cancel
from runs.progress import Progress, part
from runs.queue.jobs import close_lost
from runs.refusals import Refused
from segments.models import SegmentationRun

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _eager_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.perform.SECONDS_BETWEEN_NOTES", 0.0)


def test_perform__a_queued_run__is_done_and_keeps_payload_and_versions() -> None:
    run = SegmentationRun.objects.create()
    heard: list[tuple[str, float]] = []

    def compute(progress: Progress) -> dict[str, Any]:
        progress("features", 0.25)
        seen = SegmentationRun.objects.get(pk=run.pk)
        assert (seen.status, seen.stage, seen.percent) == ("running", "features", 25)
        return {"answer": 0.0}

    done = perform(run, compute, dict, listen=lambda stage, share: heard.append((stage, share)))

    assert done
    assert (run.status, run.payload, run.share, run.reason) == ("done", {"answer": 0.0}, 1.0, "")
    assert run.versions["numpy"]
    assert heard == [("features", 0.25)]


def test_perform__twice__computes_once() -> None:
    run = SegmentationRun.objects.create()
    calls: list[int] = []

    def compute(progress: Progress) -> dict[str, Any]:
        calls.append(1)
        return {}

    assert perform(run, compute, dict)
    assert not perform(run, compute, dict)
    assert calls == [1]


def test_perform__a_refusal__is_the_reason_of_the_failure() -> None:
    run = SegmentationRun.objects.create()

    def compute(progress: Progress) -> dict[str, Any]:
        raise Refused("--window: no unit has completed it.")

    assert not perform(run, compute, dict)
    assert (run.status, run.reason, run.payload) == ("failed", "--window: no unit has completed it.", None)


def test_perform__a_refusal_met_in_one_language__is_read_in_another() -> None:
    run = SegmentationRun.objects.create()

    def compute(progress: Progress) -> dict[str, Any]:
        raise Refused("There is no experiment '{key}'.", key="pets", at="experiment")

    with override("ko"):
        assert not perform(run, compute, dict)
    run = SegmentationRun.objects.get(pk=run.pk)

    assert run.reason == "--experiment: There is no experiment 'pets'."
    assert run.reason_in_words == run.reason
    with override("ko"):
        assert run.reason_in_words == "--experiment: 실험 'pets'가 없습니다."


def test_perform__a_crash__is_named_without_its_secrets() -> None:
    run = SegmentationRun.objects.create()

    def compute(progress: Progress) -> dict[str, Any]:
        raise ZeroDivisionError("password=hunter2")

    assert not perform(run, compute, dict)
    assert run.status == "failed"
    assert "ZeroDivisionError" in run.reason
    assert "hunter2" not in run.reason


def test_cancel__of_a_running_run__takes_hold_at_the_next_step() -> None:
    run = SegmentationRun.objects.create()
    steps: list[str] = []

    def compute(progress: Progress) -> dict[str, Any]:
        progress("one", 0.1)
        steps.append("one")
        request_cancel(run)
        progress("two", 0.2)
        steps.append("two")
        return {}

    assert not perform(run, compute, dict)
    assert steps == ["one"]
    assert run.status == "cancelled"
    assert run.payload is None


def test_cancel__of_a_queued_run__ends_it_and_nobody_computes_it() -> None:
    run = SegmentationRun.objects.create()

    request_cancel(run)

    assert not perform(run, lambda progress: {}, dict)
    assert run.status == "cancelled"


def test_cancel__of_an_ended_run__is_refused() -> None:
    run = SegmentationRun.objects.create(status=Run.Status.DONE)

    with pytest.raises(Refused, match="ended already"):
        request_cancel(run)


@pytest.mark.parametrize(("minutes", "status"), [(29, "running"), (31, "failed")])
def test_close_lost__silent_for_minutes__fails_beyond_half_an_hour(minutes: int, status: str) -> None:
    heard = timezone.now() - timedelta(minutes=minutes)
    run = SegmentationRun.objects.create(status=Run.Status.RUNNING, heard_at=heard)

    closed = close_lost(SegmentationRun)

    run.refresh_from_db()
    assert (closed, run.status) == (int(status == "failed"), status)


def test_part__of_a_whole__maps_its_share() -> None:
    heard: list[float] = []

    inner = part(lambda stage, share: heard.append(share), 0.2, 0.6)
    for share in (0.0, 0.5, 1.0, 7.0):
        inner("x", share)

    assert heard == pytest.approx([0.2, 0.4, 0.6, 0.6])
