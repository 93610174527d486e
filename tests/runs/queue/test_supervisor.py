"""What a supervisor does when one of its processes ends."""

from typing import Any

import pytest
from django.db import OperationalError

from runs.models import Job
from runs.queue import jobs
from runs.queue.jobs import put
from runs.queue.registry import LONG
from runs.queue.worker import Supervisor, forked

pytestmark = pytest.mark.django_db(transaction=True)
SAMPLE = "insight_site.tasks.write_sample"


def test_process_ended__in_a_moment_without_database__its_job_is_freed_at_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(SAMPLE, "aha.Study", 1)
    jobs.take(LONG, "a")
    ended = forked.Process(target=int)
    ended.start()
    ended.join()
    supervisor = Supervisor()
    supervisor._queues, supervisor._slots = [], {"a": (LONG, ended)}
    free, troubles = jobs.free, [OperationalError("deadlock detected")]

    def freed(owner: str, **options: Any) -> int:
        if troubles:
            raise troubles.pop()
        return free(owner, **options)

    monkeypatch.setattr(jobs, "free", freed)

    supervisor._fill()
    assert Job.objects.get().state == Job.State.RUNNING
    supervisor._fill()
    assert Job.objects.get().state == Job.State.WAITING
    assert not supervisor._gone
