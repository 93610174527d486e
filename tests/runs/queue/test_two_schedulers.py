"""Two real workers look at one table of schedules: each one that is due is asked for once, on both databases."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.clients.server import Site, migrated_database
from tests.conftest import missing
from tests.insight_site.operation.watched_site import working
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once]
SCHEDULES = 30
SECONDS = 240.0
SET = """
from datetime import timedelta
from django.utils import timezone
from runs.models import Schedule
due = timezone.now() + timedelta(seconds=3)
Schedule.objects.all().delete()
for n in range(30):
    Schedule.objects.create(name=f"{n}", task="tests.runs.queue.pretend.tasks.note_down", every="D", next_run=due)
print("null")
"""
SEEN = """
import json
from runs.models import Job, Schedule, WorkerPulse
print(json.dumps([list(Job.objects.order_by("schedule").values_list("schedule", "state", "attempts")),
                  WorkerPulse.objects.count(), Schedule.objects.filter(failures=0).count()]))
"""


@pytest.fixture(params=first_in_ci(["postgresql", "sqlite"]))
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    if request.param == "postgresql":
        address = "postgres://postgres@127.0.0.1:5432/postgres"
        try:
            psycopg.connect(address, connect_timeout=2).close()
        except psycopg.OperationalError:
            missing("PostgreSQL on port 5432")
        monkeypatch.setenv("DATABASE_URL", address)
    else:
        monkeypatch.delenv("DATABASE_URL", raising=False)
    with migrated_database(tmp_path) as url:
        notes = str(tmp_path / "notes")
        site = Site(tmp_path, url, PRETEND_NOTES=notes, WORKERS="1")
        site.environment["DJANGO_SETTINGS_MODULE"] = "tests.runs.queue.pretend.settings"
        yield site


def test_two_workers__with_many_schedules_due_at_one_moment__ask_for_each_once(site: Site) -> None:
    site.run(SET.replace("30", str(SCHEDULES)))
    notes = Path(site.environment["PRETEND_NOTES"])
    with ExitStack() as workers:
        for _ in range(2):
            workers.enter_context(working(site))
        end = time.monotonic() + SECONDS
        while not notes.exists() or len(notes.read_text()) < SCHEDULES:
            assert time.monotonic() < end, (site.folder / "worker.log").read_text()[-3000:]
            time.sleep(0.3)
        time.sleep(3)
        jobs, alive, well = site.run(SEEN)

    assert alive == 2
    assert well == SCHEDULES
    assert notes.read_text() == "x" * SCHEDULES
    assert sorted(jobs) == sorted([f"{n}", "done", 1] for n in range(SCHEDULES))
