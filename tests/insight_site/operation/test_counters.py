"""What /metrics says of runs, background tasks and webhooks."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from experiments.models import Analysis, Experiment, WebhookDelivery
from experiments.webhook_messages import Undelivered
from experiments.webhooks import announce, create_endpoint, deliver_due, look_at_certificates, update_endpoint
from runs.models import Job, OutcomeCount
from runs.perform import perform, request_cancel
from runs.progress import Progress
from runs.queue import jobs as queue_jobs
from runs.queue.jobs import put
from runs.queue.status import NOTICES, RUNS, count
from runs.refusals import Refused
from segments.models import SegmentationRun
from tests.experiments.make_readout import started

pytestmark = pytest.mark.django_db
CERTIFICATES = "experiments.tasks.look_at_certificates"


@pytest.fixture(autouse=True)
def _inside(settings: Any) -> None:
    settings.INTERNAL_NETWORKS = ["127.0.0.0/8"]


def metric(name: str) -> float | None:
    """The value of a line, or None when there is no such line."""
    lines = Client().get("/metrics").content.decode().splitlines()
    return next((float(line.split()[-1]) for line in lines if line.rpartition(" ")[0] == name), None)


def runs(outcome: str) -> float | None:
    return metric(f'insight_runs_total{{kind="segments.SegmentationRun",outcome="{outcome}"}}')


def test_runs__by_how_they_ended__are_counted_once_each_from_zero() -> None:
    def succeed(_progress: Progress) -> dict[str, Any]:
        return {}

    def refuse(_progress: Progress) -> dict[str, Any]:
        raise Refused("--window: no unit has completed it.")

    def fail(_progress: Progress) -> dict[str, Any]:
        raise ZeroDivisionError

    assert [runs(outcome) for outcome in ("done", "refused", "failed", "cancelled")] == [0, 0, 0, 0]

    for compute in (succeed, refuse, fail, fail):
        perform(SegmentationRun.objects.create(), compute, dict)
    request_cancel(SegmentationRun.objects.create())

    assert [runs(outcome) for outcome in ("done", "refused", "failed", "cancelled")] == [1, 1, 2, 1]


def test_runs__whose_process_died__fail_when_their_task_is_given_up() -> None:
    run = SegmentationRun.objects.create()
    task = "segments.tasks.run_segmentation"
    for number in (1, 2, 3):
        job = Job.objects.first() or put(task, run.pk)
        Job.objects.update(due_at=None)
        assert queue_jobs.take(job.queue, f"box:{number}")
        SegmentationRun.objects.update(status="running")
        queue_jobs.free(f"box:{number}")

    jobs = [metric(f'insight_jobs_total{{outcome="{o}",task="{task}"}}') for o in ("done", "failed", "given_up")]
    assert jobs == [0, 2, 1]
    assert runs("failed") == 1


def test_jobs__done_and_failed__are_counted_by_task() -> None:
    put(CERTIFICATES)
    put(CERTIFICATES)
    first, second = queue_jobs.take("quick", "a"), queue_jobs.take("quick", "b")
    assert first
    assert second

    queue_jobs.finish(first)
    queue_jobs.fail(second, "OSError")
    queue_jobs.fail(second, "OSError")  # it isn't theirs any more

    assert metric(f'insight_jobs_total{{outcome="done",task="{CERTIFICATES}"}}') == 1
    assert metric(f'insight_jobs_total{{outcome="failed",task="{CERTIFICATES}"}}') == 1


@pytest.mark.parametrize(("code", "alarm"), [("srm", 1), ("other", 0), (None, 0)])
def test_sample_ratio__of_the_last_analysis_of_a_running_experiment__is_an_alarm(code: str | None, alarm: int) -> None:
    experiment = started()
    line = f'insight_sample_ratio_alarm{{experiment="{experiment.key}"}}'
    Analysis.objects.create(experiment=experiment, status="done", checks=[{"check": "x", "invalid": "srm"}])
    assert metric(line) == 1

    Analysis.objects.create(experiment=experiment, status="done", checks=[{"check": "x", "invalid": code}])
    Analysis.objects.create(experiment=experiment, status="failed")

    assert metric(line) == alarm
    Experiment.objects.update(status="stopped")
    assert metric(line) is None


def test_webhooks__that_fail_and_wait__are_counted_by_endpoint() -> None:
    create_endpoint(name="team", url="https://team.example.com/in")
    announce("experiment.started", {})

    deliver_due(send=lambda *_given: 500)

    assert metric('insight_webhooks_total{endpoint="team",outcome="failed"}') == 1
    assert metric('insight_webhooks_total{endpoint="team",outcome="given_up"}') == 0
    assert metric('insight_webhook_waiting{endpoint="team"}') == 1
    WebhookDelivery.objects.update(next_try_at=timezone.now())
    deliver_due(send=lambda *_given: 204)
    assert metric('insight_webhooks_total{endpoint="team",outcome="delivered"}') == 1
    assert metric('insight_webhook_waiting{endpoint="team"}') == 0


def test_certificate__seen_in_the_night__runs_out_and_is_forgotten_with_its_address() -> None:
    row = create_endpoint(name="team", url="https://team.example.com/in")
    line = 'insight_webhook_certificate_days{endpoint="team"}'
    assert metric(line) is None

    assert look_at_certificates(look=lambda _url: timezone.now() + timedelta(days=9.5)) == 1
    assert metric(line) == pytest.approx(9.5, abs=0.01)

    def away(_url: str) -> Any:
        raise Undelivered("TimeoutError")

    assert look_at_certificates(look=away) == 0
    assert metric(line) == pytest.approx(9.5, abs=0.01)
    update_endpoint(endpoint=row, url="https://other.example.com/in")
    assert metric(line) is None


def test_metrics__however_many_rows__cost_the_same_number_of_queries(django_assert_max_num_queries: Any) -> None:
    for n in range(30):
        create_endpoint(name=f"team {n}", url="https://team.example.com/in")
        count(RUNS, "segments.SegmentationRun", f"{n}")
    experiment = started()
    for _ in range(30):
        Analysis.objects.create(experiment=experiment, status="done", checks=[])
    assert OutcomeCount.objects.count() == 30
    Client().get("/metrics")  # the parts are kept for five seconds

    with django_assert_max_num_queries(8):
        Client().get("/metrics")


def test_notices__that_failed_and_were_sent__are_counted_by_way() -> None:
    assert metric('insight_notices_total{outcome="given_up",way="mail"}') == 0
    count(NOTICES, "mail", "failed", times=2)
    count(NOTICES, "channel", "sent")

    assert metric('insight_notices_total{outcome="failed",way="mail"}') == 2
    assert metric('insight_notices_total{outcome="sent",way="channel"}') == 1
    assert metric('insight_notices_total{outcome="sent",way="digest"}') == 0
