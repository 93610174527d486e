"""Start and memory of one web worker, beside a bare Django and REST framework project in the same gunicorn."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from benchmarks.frame import ROOT
from benchmarks.harness.clock import family, memory_of, resident_of
from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.load import drive, figures
from benchmarks.harness.peers import OURS
from benchmarks.harness.room import Room
from benchmarks.harness.site import START_SECONDS, add_flag, bench_site, ofrep_call
from tests.clients.server import free_port

BARE = "/things/"


def measure(
    wsgi: str,
    ready: str,
    environment: Mapping[str, str],
    calls: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
) -> Figures:
    """Seconds from the start of gunicorn to the first answer; then, after the calls, the memory of its processes.

    The aim is about the worker's resident set, which operators' tools show. `all MiB` is the proportional set size of
    master and worker, in which a page that both have counts once: what the machine loses.
    """
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", wsgi, "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    begun, quiet = time.perf_counter(), subprocess.DEVNULL
    server = subprocess.Popen(
        command, cwd=ROOT, env=dict(environment), stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        started = _first_answer(f"http://127.0.0.1:{port}{ready}", server) - begun
        arrivals = [[0.0, place, "unit"] for place in range(len(calls))] * options["calls"]
        figures(drive({"port": port, "calls": calls, "connections": 1, "arrivals": arrivals}))
        worker = next(pid for pid in family(server.pid) if pid != server.pid)
        return {
            "start s": started,
            "resident MiB": resident_of(worker) / 2**20,
            "all MiB": memory_of(server.pid) / 2**20,
        }
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _first_answer(url: str, server: subprocess.Popen[bytes]) -> float:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=30):
            return time.perf_counter()
        time.sleep(0.01)
    raise SystemExit(f"{url} did not answer")


@contextmanager
def opened(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """Both on databases of their own, each started anew in each round."""
    # Both have their bytecode, as every installed site has; the sandboxes of agents switch it off.
    with bench_site(PYTHONDONTWRITEBYTECODE="") as site:
        key = add_flag(site)
        page = {"method": "GET", "path": "/login/", "headers": {}, "body": ""}
        bare = {**page, "path": BARE}
        own = {"DATABASE_URL": f"{site.folder / 'bare.sqlite3'}", "PYTHONPATH": str(OURS)}
        plain = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")} | own
        migrate = [sys.executable, "-m", "django", "migrate", "-v0", "--settings", "bare_site.settings"]
        subprocess.run(migrate, cwd=ROOT, env=plain, check=True)

        def ours(_turn: int) -> Figures:
            return measure("insight_site.wsgi", "/healthz", site.environment, [ofrep_call(key), page], options)

        def theirs(_turn: int) -> Figures:
            return measure("bare_site.wsgi", BARE, plain, [bare], options)

        yield Side("Insight", ours), Side("bare Django + REST framework", theirs)


JOBS = (
    Job(
        "web_worker",
        "web worker",
        """One worker of gunicorn: seconds from the start of the process to the first answer, and resident memory
        (shared pages included) after calls of an evaluation and of the page to sign in. All MiB is the memory of master
        and worker together, where a page that both have counts once (proportional set size). The bare project has
        Django's usual apps and middlewares, REST framework, one model and one view (`benchmarks/peers/bare_site/`).""",
        "bare Django + REST framework",
        {"tiny": {"calls": 3, "rounds": 2}, "quick": {"calls": 100, "rounds": 3}, "full": {"calls": 500, "rounds": 7}},
        opened,
        (Aim("start s", at_most=2.0), Aim("resident MiB", at_most=2.0)),
    ),
)
