"""Who asks for a unit: the door of OFREP beside Unleash, behind other servers, without a door, and its worker."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.frame import ROOT
from benchmarks.harness.clock import BusyCore, family, memory_of, resident_of, until_answered
from benchmarks.harness.job import Figures, Room, Side
from benchmarks.harness.load import drive, figures, name_of
from benchmarks.harness.peers import OURS, peer_folder, unleash
from benchmarks.harness.site import BenchSite, add_flag, bench_site, ofrep_call, own_django
from tests.clients.server import free_port

CONNECTIONS = 8
OTHER = "Unleash 8.2, front-end API"


@contextmanager
def doors(server: str = "", workers: int = 2, threads: int = 1) -> Iterator[tuple[BenchSite, str]]:
    with bench_site() as site:
        key = add_flag(site)
        site.serve(server, workers, threads)
        yield site, key


def ask(port: int, call: Mapping[str, Any], options: Mapping[str, Any], first: int, cycle: int | None) -> Figures:
    units = {"first": first, "cycle": cycle}
    load = {"port": port, "calls": [call], "connections": CONNECTIONS, "seconds": options["seconds"], "units": units}
    return figures(drive(load))


@contextmanager
def known(room: Room, options: Mapping[str, Any], *, busy: bool) -> Iterator[Sequence[Side]]:
    """Both sides, each asked for every unit once before."""
    (site, key), peer = room.get("site", doors), room.get("unleash", unleash)
    calls = {site.port: ofrep_call(key), peer.port: peer.call()}
    for port, call in calls.items():
        warm(port, call, options["units"])

    def run(port: int, _turn: int) -> Figures:
        with BusyCore() if busy else nullcontext():
            return ask(port, calls[port], options, 0, options["units"])

    yield Side("Insight, OFREP", partial(run, site.port)), Side(OTHER, partial(run, peer.port))


def warm(port: int, call: Mapping[str, Any], units: int) -> None:
    """Each unit asked for once, so that it is known."""
    arrivals = [[0.0, 0, name_of(number)] for number in range(units)]
    figures(drive({"port": port, "calls": [call], "connections": CONNECTIONS, "arrivals": arrivals}))


A_ROUND = 1_000_000  # more units than a round can ask for


@contextmanager
def new(room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """Both sides; each round asks for units of its own."""
    (site, key), peer = room.get("site", doors), room.get("unleash", unleash)
    rounds = count(1)

    def ours(_turn: int) -> Figures:
        return ask(site.port, ofrep_call(key), options, next(rounds) * A_ROUND, None)

    def theirs(_turn: int) -> Figures:
        return ask(peer.port, peer.call(), options, next(rounds) * A_ROUND, None)

    yield Side("Insight, OFREP", ours), Side(OTHER, theirs)


# Server, processes, threads of each. The first is what `gunicorn insight_site.wsgi` does by itself.
CONFIGURATIONS = [
    ("gunicorn gthread", 2, 4),
    ("gunicorn gthread", 2, 2),
    ("gunicorn gthread", 2, 8),
    ("gunicorn sync", 2, 1),
    ("gunicorn sync", 3, 1),
    ("granian", 2, 1),
    ("granian", 2, 4),
    ("granian", 2, 8),
]


@contextmanager
def servers(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """A side for each configuration; a round asks it for known units, then for new ones."""
    first = count(1)

    def run(site: BenchSite, key: str, _turn: int) -> Figures:
        known = ask(site.port, ofrep_call(key), options, 0, options["units"])
        new = ask(site.port, ofrep_call(key), options, next(first) * A_ROUND, None)
        pid = site.process.pid if site.process else 0
        named = {f"known {name}": value for name, value in known.items()}
        return {**named, **{f"new {name}": value for name, value in new.items()}, "MiB": memory_of(pid) / 2**20}

    with bench_site() as site, ExitStack() as stack:
        key, sides = add_flag(site), []
        for server, workers, threads in CONFIGURATIONS[: options["configurations"]]:
            one = beside(site, Path(stack.enter_context(TemporaryDirectory(prefix="insight-bench-"))))
            stack.callback(one.stop)
            one.serve(server, workers, threads)
            warm(one.port, ofrep_call(key), options["units"])
            sides.append(Side(f"{server}, {workers} × {threads}", partial(run, one, key)))
        yield sides


def beside(site: BenchSite, folder: Path) -> BenchSite:
    """The same site on another port: same database, same secrets, counters of its own."""
    other = copy.copy(site)
    other.folder, other.port, other.log, other.process = folder, free_port(), folder / "server.log", None
    other.url = f"http://127.0.0.1:{other.port}"
    other.environment = {**site.environment, "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")}
    (folder / "metrics").mkdir()
    return other


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
        started = until_answered(f"http://127.0.0.1:{port}{ready}", server) - begun
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


@contextmanager
def web_worker(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
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


THEIRS = """
import json, sys, time
from growthbook import GrowthBook
features, ids = json.load(sys.stdin)
book = GrowthBook(attributes={"id": "x"}, features=features)
started = time.process_time()
for unit in ids:
    book.set_attributes({"id": unit})
    book.eval_feature("bench")
print(len(ids) / (time.process_time() - started))
"""


@contextmanager
def draws(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """The same flag of three arms on both sides."""
    with own_django():
        from experiments.draw.evaluation import Arm, Flag, Row, draw
        from experiments.draw.many_units import choose_all, read_units, unit_hashes
        from experiments.serve.payload import features

        row = Row(None, None, 0.8, (0.34, 0.33, 0.33))
        arms = tuple(Arm(n, f"arm{n}", f"arm{n}", f"arm{n}") for n in range(3))
        flag = Flag(1, "bench", "bench", "bench", 1, "running", "none", arms, (row,), "9f2c41d07ab3")
        units = options["units"]
        ids = [f"{n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}" for n in range(units)]
        given = json.dumps([features([flag], datetime.now(UTC)), ids]).encode()
        environment = {"PYTHONPATH": str(peer_folder("growthbook"))}

        def ours(_turn: int) -> Figures:
            begun = time.process_time()
            for unit in ids:
                draw(flag, unit, is_new=True, row=row)
            single, begun = time.process_time() - begun, time.process_time()
            choose_all(unit_hashes(flag.seed, read_units(ids)), row.ranges)
            return {"evaluations/s": units / single, "read and drawn at once/s": units / (time.process_time() - begun)}

        def theirs(_turn: int) -> Figures:
            command = [sys.executable, "-c", THEIRS]
            done = subprocess.run(command, input=given, env=environment, capture_output=True, check=True)
            return {"evaluations/s": float(done.stdout)}

        yield Side("Insight", ours), Side("growthbook-python, one object kept", theirs)
