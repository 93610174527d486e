"""The ids of a request travel with the job that it asks for."""

from collections.abc import Iterator

import pytest
import structlog

from runs.models import Job
from runs.queue import jobs
from runs.queue.jobs import put

pytestmark = pytest.mark.django_db
TASK = "runs.tasks.forget_old_jobs"
IDS = {"request_id": "one", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"}


@pytest.fixture(autouse=True)
def _unbound() -> Iterator[None]:
    with structlog.contextvars.bound_contextvars():
        structlog.contextvars.clear_contextvars()
        yield


def test_put__in_a_request__keeps_its_ids_and_nothing_else_that_is_bound() -> None:
    with structlog.contextvars.bound_contextvars(**IDS, other="x"):
        put(TASK)

    assert Job.objects.get().origin == IDS


def test_put__by_the_clock__has_no_origin() -> None:
    put(TASK, schedule="runs: forget old jobs")

    assert Job.objects.get().origin is None


def test_bound__while_a_job_is_done__names_request_and_job_also_for_the_jobs_that_it_asks_for() -> None:
    with structlog.contextvars.bound_contextvars(**IDS):
        put(TASK)
    job = jobs.take("quick", "a")
    assert job

    with jobs.bound(job):
        assert structlog.contextvars.get_contextvars() == {**IDS, "job": job.pk, "task": TASK}
        put(TASK)

    assert structlog.contextvars.get_contextvars() == {}
    assert Job.objects.latest("pk").origin == IDS


def test_bound__a_row_that_somebody_wrote__binds_nothing_but_ids() -> None:
    job = Job.objects.create(task=TASK, queue="quick", origin={"event": "forged", "request_id": "one"})

    with jobs.bound(job):
        assert structlog.contextvars.get_contextvars() == {"request_id": "one", "job": job.pk, "task": TASK}
