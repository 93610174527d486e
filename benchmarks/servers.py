"""Which server: gunicorn with sync and threaded workers, granian; for the decision record, not each release.

    python -m benchmarks.jobs --only servers --size full --write

All serve the same site on the same PostgreSQL database at once; one is asked at a time, the others wait.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness.clock import memory_of
from benchmarks.harness.job import Figures, Job, Side
from benchmarks.harness.room import Room
from benchmarks.harness.site import BenchSite, add_flag, bench_site, ofrep_call
from benchmarks.jobs.known_unit import ask, warm
from benchmarks.jobs.new_unit import A_ROUND
from tests.clients.server import free_port

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
def opened(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
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


JOBS = (
    Job(
        "servers",
        "servers, processes × threads",
        """The door of OFREP behind each server, known and new units as above, 8 connections. All serve at once and
        wait while one is asked. Memory is the sum over the server's processes, shared pages once.""",
        "",
        {
            "tiny": {"units": 20, "seconds": 0.3, "rounds": 1, "configurations": 2},
            "full": {"units": 2_000, "seconds": 3.0, "configurations": len(CONFIGURATIONS)},
        },
        opened,
    ),
)
