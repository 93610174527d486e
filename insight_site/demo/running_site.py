"""The site as it runs for real, for as long as the demo needs it: gunicorn on a loopback port over our own data."""

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
# Server, segment_units and the command write into one SQLite file: each waits longer for the others than a request may.
LOCK_SECONDS = 20
START_SECONDS = 90


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """Serve, and give the port; the server is gone afterwards.

    Args:
        folder: where its log goes.

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
    """This process's own settings; plain HTTP, which never leaves the machine."""
    # A server that starts empties the folder of its counters: it may be that of a site that runs.
    given = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    return {
        # On a small machine the spinning threads of OpenMP would only stand in everybody's way.
        "OMP_NUM_THREADS": "1",
        **given,
        **_places(),
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS": "0",
        "LOG_LEVEL": "WARNING",
        "DATABASE_LOCK_SECONDS": str(LOCK_SECONDS),
        "DATABASE_SYNCHRONOUS": "NORMAL",  # after a power cut the demo is made anew: no call need wait for the disk
        "DJANGO_SETTINGS_MODULE": "insight_site.settings",
    }


def wait_for_others() -> None:
    """Let this process, too, wait for the writers that it starts, and not for the disk."""
    if connection.vendor == "sqlite":
        options = connection.settings_dict["OPTIONS"]
        options["timeout"] = LOCK_SECONDS
        options["init_command"] = options["init_command"].replace("=FULL", "=NORMAL")
        connection.close()


def _places() -> dict[str, str]:
    """Database and store by their whole paths, since the server starts in another folder; addresses are inherited."""
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
    """A port below the range that the system gives to outgoing connections: no client may take it meanwhile."""
    for port in random.sample(range(20_000, 32_000), 100):
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Refused("There is no free port between 20000 and 32000 on this machine.")
