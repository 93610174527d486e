"""Runs the site as in production while the demo needs it: gunicorn on a loopback port over our own data."""

import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.db import connection

from runs.refusals import Refused

WORKERS = 2
# Server, segment_units and the command write to one SQLite file: each waits longer for the lock than a request may.
LOCK_SECONDS = 20
START_SECONDS = 90


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """Start the server and yield its port; stop it afterwards.

    Args:
        folder: for its log.

    Raises:
        Refused: when it doesn't start, with the end of its log.
    """
    port = _free_port()
    log = folder / "gunicorn.log"
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "insight_site.wsgi",
        "--bind",
        f"127.0.0.1:{port}",
        "--workers",
        str(WORKERS),
        "--threads",
        "2",
    ]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=settings.BASE_DIR, env=environment(), stdout=out, stderr=out, start_new_session=True
        )
    try:
        _wait(process, port, log)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment() -> dict[str, str]:
    """This process's settings for the server; plain HTTP, which never leaves the machine."""
    # A starting server empties the metrics folder, which may belong to a running site.
    given = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    return {
        # On a small machine busy-waiting threads of OpenMP would slow everything.
        "OMP_NUM_THREADS": "1",
        **given,
        **_places(),
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS": "0",
        "LOG_LEVEL": "WARNING",
        "DATABASE_LOCK_SECONDS": str(LOCK_SECONDS),
        "DATABASE_SYNCHRONOUS": "NORMAL",  # no fsync: after a power cut the demo is made again
        "DJANGO_SETTINGS_MODULE": "insight_site.settings",
    }


def wait_for_others() -> None:
    """Make this process wait for SQLite's lock like the server, and skip fsync."""
    if connection.vendor == "sqlite":
        options = connection.settings_dict["OPTIONS"]
        options["timeout"] = LOCK_SECONDS
        options["init_command"] = options["init_command"].replace("=FULL", "=NORMAL")
        connection.close()


def _places() -> dict[str, str]:
    """Absolute paths of database and store, since the server starts in another folder; URLs are inherited."""
    found: dict[str, str] = {}
    if connection.vendor == "sqlite":
        found["DATABASE_URL"] = f"sqlite:///{Path(connection.settings_dict['NAME']).absolute()}"
    if "://" not in settings.EVENTS_URL:
        found["EVENTS_URL"] = str(Path(settings.EVENTS_URL).absolute())
    return found


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
            return
        time.sleep(0.05)
    raise Refused("The site did not start: {said}", said=log.read_text(errors="replace")[-500:].strip())


def _free_port() -> int:
    """A port below the system's ephemeral range, so that no outgoing connection takes it meanwhile."""
    for port in random.sample(range(20_000, 32_000), 100):
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Refused("There is no free port between 20000 and 32000 on this machine.")
