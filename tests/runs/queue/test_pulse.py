"""The worker's sign of life, and what pages say without one."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from runs.models import WorkerPulse
from runs.queue.status import ALIVE, FORGOTTEN, is_alive, last_heard, sign
from segments.models import SegmentationRun
from tests.clients.server import migrated_file

ROOT = Path(__file__).parents[3]
SECONDS = 180


def heard(ago: timedelta) -> None:
    now = timezone.now()
    WorkerPulse.objects.create(name=f"box:{ago.total_seconds():.0f}", started_at=now - ago, heard_at=now - ago)


@pytest.mark.django_db
@pytest.mark.parametrize(("margin", "alive"), [(-1, True), (1, False)])
def test_worker__silent_for_half_a_minute__is_no_longer_alive(margin: int, alive: bool) -> None:
    heard(ALIVE + timedelta(seconds=margin))

    assert is_alive(last_heard()) is alive


@pytest.mark.django_db
def test_sign__twice__is_one_row_and_forgets_the_long_silent() -> None:
    heard(FORGOTTEN + timedelta(seconds=1))

    sign("box:1", timezone.now())
    sign("box:1", timezone.now())

    assert [row.name for row in WorkerPulse.objects.all()] == ["box:1"]
    assert is_alive(last_heard())


@pytest.mark.django_db
def test_no_sign__ever__is_not_alive() -> None:
    assert last_heard() is None
    assert not is_alive(last_heard())


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ana"))
    return client


@pytest.mark.django_db
def test_waiting_run__without_a_worker__says_so_and_how_to_start_one(reader: Client) -> None:
    run = SegmentationRun.objects.create()
    SegmentationRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(minutes=3))

    page = reader.get(f"/segments/runs/{run.pk}/").content.decode()

    assert "waiting for 3\xa0minutes" in page
    assert "manage.py worker" in page
    sign("box:1", timezone.now())
    assert "manage.py worker" not in reader.get(f"/segments/runs/{run.pk}/").content.decode()


@pytest.mark.django_db
def test_home__tells_whether_the_worker_lives(reader: Client) -> None:
    assert "No worker has run here yet" in reader.get("/").content.decode()
    heard(timedelta(minutes=9))
    assert "silent for 9\xa0minutes" in reader.get("/").content.decode()
    sign("box:1", timezone.now())
    assert "The worker is running." in reader.get("/").content.decode()


@pytest.fixture
def site(tmp_path: Path) -> dict[str, str]:
    """The environment of a site of its own, migrated."""
    shutil.copyfile(migrated_file(), tmp_path / "site.sqlite3")
    return {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'site.sqlite3'}", "WORKERS": "1"}


def pulses(environment: dict[str, str]) -> int:
    file = environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM runs_workerpulse").fetchone()[0])


def wait_for(environment: dict[str, str], count: int) -> None:
    end = time.monotonic() + SECONDS
    while pulses(environment) != count:
        assert time.monotonic() < end, f"no {count} workers within {SECONDS} seconds"
        time.sleep(0.5)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.slow
def test_worker__real_process__signs_and_takes_its_sign_along(
    site: dict[str, str], started: list[subprocess.Popen[bytes]]
) -> None:
    worker = subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT, env=site, start_new_session=True)
    started.append(worker)
    wait_for(site, 1)

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(SECONDS) == 0
    assert pulses(site) == 0


@pytest.mark.slow
def test_serve__one_of_both_dies__the_other_ends_too(
    site: dict[str, str], started: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    honcho, said = Path(sys.executable).with_name("honcho"), tmp_path / "said"
    environment = {**site, "PYTHON": sys.executable, "PORT": "18473"}
    with said.open("wb") as lines:
        serve = subprocess.Popen(
            [honcho, "start", "--no-prefix"],
            cwd=ROOT,
            env=environment,
            stdout=lines,
            stderr=lines,
            start_new_session=True,
        )
    started.append(serve)
    wait_for(site, 1)
    pids = {name: int(pid) for name, pid in re.findall(r"(web|worker)\.1 started \(pid=(\d+)\)", said.read_text())}

    os.kill(pids["web"], signal.SIGKILL)

    serve.wait(SECONDS)
    alive = subprocess.run(["pgrep", "-g", str(pids["worker"]), "-r", "R,S,D"], check=False, capture_output=True)
    assert alive.stdout == b""
