"""Real workers on a database of their own: what is killed, and when, and what becomes of the jobs."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.clients.server import migrated_file
from tests.once import once

pytestmark = [pytest.mark.slow, pytest.mark.once]
ROOT = Path(__file__).parents[3]
SECONDS = 240.0
TASKS = "tests.runs.queue.pretend.tasks."
PUT = """
import django, json, sys
django.setup()
from runs.queue.jobs import put
for words in json.loads(sys.argv[1]): put(*words)
"""


class Site:
    """A migrated site without schedules, and its workers."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        self.folder, self.workers = folder, list[subprocess.Popen[bytes]]()
        self.database = folder / "site.sqlite3"
        self.environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "EVENTS_URL": str(folder / "events"),
            "DJANGO_SETTINGS_MODULE": "tests.runs.queue.pretend.settings",
            "WORKERS": "1",
            "WORKER_GRACE_SECONDS": "2",
        }
        shutil.copy(migrated, self.database)

    def put(self, *jobs: list[Any]) -> None:
        subprocess.run([sys.executable, "-c", PUT, json.dumps(jobs)], cwd=ROOT, env=self.environment, check=True)

    def rows(self, question: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return database.execute(question).fetchall()

    def jobs(self) -> list[Any]:
        """State, attempts, error and owner of each."""
        return self.rows("SELECT state, attempts, error, owner FROM runs_job ORDER BY id")

    def start(self) -> subprocess.Popen[bytes]:
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "worker"],
            cwd=ROOT,
            env=self.environment,
            stderr=(self.folder / "log").open("ab"),
            start_new_session=True,
        )
        self.workers.append(worker)
        return worker

    def wait(self, look: Callable[[list[Any]], bool]) -> list[Any]:
        wait(lambda: look(self.jobs()), lambda: (self.jobs(), (self.folder / "log").read_text()[-3000:]))
        return self.jobs()


def wait(look: Callable[[], Any], told: Callable[[], Any] = lambda: None) -> None:
    """Until `look` finds something, within a time that is long for a busy machine."""
    end = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < end, told()
        time.sleep(0.2)


def without_schedules(folder: Path) -> None:
    shutil.copyfile(migrated_file(), folder / "site.sqlite3")
    with closing(sqlite3.connect(folder / "site.sqlite3")) as database:
        database.execute("DELETE FROM runs_schedule")
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path, once("without_schedules", without_schedules) / "site.sqlite3")
    yield found
    for worker in found.workers:
        for pid in [*children(worker.pid), worker.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        worker.wait()


def children(pid: int) -> list[int]:
    ran = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in ran.stdout.split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_jobs__whose_process_dies_or_never_ends__are_given_up_and_the_next_is_done(site: Site, tmp_path: Path) -> None:
    site.start()
    site.put([TASKS + "die"], [TASKS + "never_ends", str(tmp_path / "pids")], [TASKS + "note", str(tmp_path / "notes")])
    wait((tmp_path / "pids").exists)
    started = [int(pid) for pid in (tmp_path / "pids").read_text().split()]

    jobs = site.wait(lambda jobs: [job[0] for job in jobs] == ["failed", "failed", "done"])

    assert jobs[0][1:3] == (3, "Its process ended in the middle.")
    assert jobs[1][2] == "It took longer than 2 seconds."
    assert (tmp_path / "notes").read_text() == "x"
    assert len(started) == 2
    wait(lambda: not any(alive(one) for one in started), lambda: started)  # with all that it started


def test_process__killed_in_the_middle__is_replaced_and_the_job_begun_anew(site: Site) -> None:
    site.start()
    site.put([TASKS + "sleep", 600])
    first = site.wait(lambda jobs: jobs[0][0] == "running")[0]
    for pid in children(site.workers[0].pid):
        os.kill(pid, signal.SIGKILL)

    again = site.wait(lambda jobs: jobs[0][0] == "running" and jobs[0][1] == 2)[0]

    assert again[3] != first[3]
    assert site.workers[0].poll() is None


def test_worker__killed_itself__leaves_no_process_behind(site: Site) -> None:
    worker = site.start()
    site.put([TASKS + "sleep", 600])
    site.wait(lambda jobs: jobs[0][0] == "running")
    orphans = children(worker.pid)

    worker.kill()
    worker.wait()

    assert len(orphans) >= 3
    wait(lambda: not any(alive(pid) for pid in orphans), lambda: orphans)


def test_long_job__running__holds_up_no_short_one_and_waits_again_when_the_worker_must_end(
    site: Site, tmp_path: Path
) -> None:
    worker = site.start()
    site.put([TASKS + "sleep", 600], [TASKS + "note", str(tmp_path / "notes")])
    jobs = site.wait(lambda jobs: jobs[1][0] == "done" and jobs[0][0] == "running")
    assert jobs[0][1] == 1
    began = time.monotonic()

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(120) == 0
    assert time.monotonic() - began < 29  # after the grace of two seconds: by default it is thirty
    jobs = site.jobs()
    assert jobs.pop()[0] == "done"
    assert jobs == [("waiting", 0, "Its process ended in the middle.", "")]
    assert site.rows("SELECT * FROM runs_workerpulse") == []


def test_worker__told_to_end_in_a_short_job__brings_it_to_its_end(site: Site) -> None:
    site.environment["WORKER_GRACE_SECONDS"] = "100"
    worker = site.start()
    site.put([TASKS + "sleep_in_quick", 3])
    site.wait(lambda jobs: jobs[0][0] == "running")

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(120) == 0
    assert site.jobs()[0][:2] == ("done", 1)


def test_two_workers__at_one_queue__do_each_job_once_that_is_put_while_they_live(site: Site, tmp_path: Path) -> None:
    site.start()
    site.start()
    wait(lambda: site.rows("SELECT count(*) FROM runs_workerpulse") == [(2,)])
    site.put(*[[TASKS + "note", str(tmp_path / "notes")]] * 20)

    jobs = site.wait(lambda jobs: len(jobs) == 20 and all(job[0] == "done" for job in jobs))

    assert (tmp_path / "notes").read_text() == "x" * 20
    assert {job[1] for job in jobs} == {1}
