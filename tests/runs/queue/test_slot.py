"""The eye on a job: it says that the job lives, after the database was away too, and whatever the job is called."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from runs.models import Job
from runs.queue import jobs, worker
from runs.queue.jobs import put
from runs.queue.registry import LONG, Task, limit_of

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = timezone.now() - timedelta(days=1)


def keeper_of(job: Job, monkeypatch: pytest.MonkeyPatch) -> worker._Keeper:
    monkeypatch.setattr(worker, "BEAT", -1.0)  # each look says so
    found = worker._Keeper()
    found.of(job)
    return found


def test_look__with_a_connection_that_broke__says_so_over_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    put("insight_site.tasks.write_sample", "aha.Study", 1)
    job = jobs.take(LONG, "a")
    assert job is not None
    keeper = keeper_of(job, monkeypatch)
    Job.objects.update(owned_until=LONG_AGO)
    connection.ensure_connection()
    connection.connection.close()  # as a database that was started again leaves it

    keeper.look()
    keeper.look()

    assert Job.objects.filter(owned_until__gt=timezone.now()).exists()


def test_look__at_a_task_of_another_version__goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    Job.objects.create(task="os.getpid", queue=LONG)
    job = jobs.take(LONG, "a")
    assert job is not None
    keeper = keeper_of(job, monkeypatch)
    Job.objects.update(owned_until=LONG_AGO)

    keeper.look()

    assert Job.objects.filter(owned_until__gt=timezone.now()).exists()
    assert limit_of("os.getpid") == Task.seconds
