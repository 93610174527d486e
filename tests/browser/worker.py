"""A real worker process (`manage.py worker`) over the rows of the test, and a store with a made-up log."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, transaction

from events.simulation import WORLDS, Simulation, draw_arms, simulate
from tests.aha.store import store_of

ROOT = Path(__file__).resolve().parents[2]
UNITS = 6_000
SECONDS_TO_END = 20


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulation]:
    """6,000 users of the world `step`, whose events the settings point at."""
    world = simulate(WORLDS["step"], UNITS, 3, draw_arms(WORLDS["step"], UNITS, 3))
    with store_of(world, tmp_path_factory.mktemp("browser")):
        yield world


@contextmanager
def worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One process of the queue inside the block, a group of its own; it and its children end with the block."""
    folders = {"EVENTS_URL": str(settings.EVENTS_URL), "UPLOADS_DIR": str(settings.UPLOADS_DIR)}
    environment = {**os.environ, **folders, "DATABASE_URL": _database(), "WORKERS": "1"}
    with (
        (folder / "worker.log").open("wb") as lines,
        subprocess.Popen(
            [sys.executable, "manage.py", "worker"],
            cwd=ROOT,
            env=environment,
            stdout=lines,
            stderr=lines,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def held(process: subprocess.Popen[bytes], when: Callable[[], bool], *, seconds: float = 400.0) -> Iterator[None]:
    """The worker stands still inside the block, from a moment at which `when` holds: a page is seen as it was then.

    Without it a computation may pass a state between two looks of the page, and the state is never seen.
    """
    end = time.monotonic() + seconds
    while True:
        assert time.monotonic() < end, "the worker never came there"
        time.sleep(0.01)
        if when():
            stopped = _family(process.pid)
            _tell(stopped, signal.SIGSTOP)
            try:
                # What it holds while it stands still, the site could not write.
                with transaction.atomic():
                    Group.objects.filter(pk=0).update(name="")
                yield
                return
            except OperationalError:
                continue
            finally:
                _tell(stopped, signal.SIGCONT)


def _family(pid: int) -> list[int]:
    """The process and all that it started: each has a session of its own, so the group of the first is it alone."""
    found = [pid]
    with suppress(OSError):  # it has ended
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in file.read_text().split():
                found += _family(int(child))
    return found


def _tell(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def watch(page: Any, look: Callable[[str], bool], *, seconds: float = 90.0) -> list[str]:
    """What the progress of the page said, each text once, until `look` is content with the last one."""
    said: list[str] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        place = page.locator("#progress")
        text = place.inner_text() if place.count() else ""
        if not said or said[-1] != text:
            said.append(text)
        if look(text):
            return said
        page.wait_for_timeout(200)
    raise AssertionError(said)


def _database() -> str:
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    return f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
