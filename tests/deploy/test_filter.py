"""What the shipped units start, each under the units' own filter of system calls."""

import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.clients.server import ROOT, Site, free_port, migrated_database
from tests.conftest import missing
from tests.deploy.filtered import allowed

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(600)]
HARDENING = ROOT / "deploy/systemd/hardening.conf"
LOOK_FOR_GROUPS = """
from segments.search.question import Inputs
from segments.search.segmentations import start_segmentation
print(start_segmentation(inputs=Inputs(signup_event="signup", first_day=0, last_day=13)).pk)
"""
STATE = """
from segments.models import SegmentationRun
run = SegmentationRun.objects.get()
import json
print(json.dumps([run.status, run.reason, bool(run.payload)]))
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze")
    with migrated_database(tmp_path) as database:
        yield Site(tmp_path, database)


@contextmanager
def unit(name: str, site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """The command of a unit under the filter, on ports of its own."""
    text = (ROOT / f"deploy/systemd/insight-{name}@.service").read_text()
    (command,) = re.findall(r"^ExecStart=/opt/insight-%i/.venv/bin/(.*)$", text, re.MULTILINE)
    program, *rest = command.split()
    rest += ["--bind", f"127.0.0.1:{site.port}"] if name == "web" else []  # systemd hands it a socket
    rest = [re.sub(r"^127\.0\.0\.1:(8001|8765)$", f"127.0.0.1:{free_port()}", word) for word in rest]
    with (site.folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "tests/deploy/filtered.py",
                str(HARDENING),
                str(Path(sys.executable).parent / program),
                *rest,
            ],
            cwd=ROOT,
            env=site.environment,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def test_filter__of_the_units__forbids_what_it_names() -> None:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze")
    left = allowed(HARDENING)

    assert {"openat", "execve", "getpriority"} <= left
    assert left & {"setpriority", "chown", "reboot", "ptrace", "mount"} == set()


def test_units__under_their_filter__migrate_serve_and_find_groups(site: Site) -> None:
    """`os.nice(0)` sets a priority, which the filter forbids: no search for groups has ever ended under these units."""
    with unit("migrate", site) as migrate:
        assert migrate.wait(120) == 0, (site.folder / "migrate.log").read_text()[-2_000:]
    world = site.folder / "world"
    site.manage("simulate", "--world", "planted_groups", "--units", "900", str(world))
    site.manage(
        *("import_events", str(world / "events.parquet"), "--user", "user_id", "--event", "event", "--time", "time")
    )
    site.run(LOOK_FOR_GROUPS)
    with ExitStack() as stack:
        running = {name: stack.enter_context(unit(name, site)) for name in ("web", "streams", "agents", "worker")}
        end, state = time.monotonic() + 240, ["", "", False]
        while state[0] not in ("done", "failed", "cancelled") and time.monotonic() < end:
            time.sleep(2)
            state = site.run(STATE)
        answered = 0
        with suppress(urllib.error.URLError), urllib.request.urlopen(f"{site.url}/healthz", timeout=10) as answer:
            answered = answer.status
        ended = {name: process.poll() for name, process in running.items()}

    assert state == ["done", "", True], (site.folder / "worker.log").read_text()[-2_000:]
    assert answered == 200, (site.folder / "web.log").read_text()[-2_000:]
    assert ended == dict.fromkeys(running), [(site.folder / f"{name}.log").read_text()[-500:] for name in running]
    assert "worker.not_warm" not in (site.folder / "worker.log").read_text()
