"""Polling with and without event streams beside it, and how soon a change reaches every open stream.

    .venv/bin/python benchmarks/doors/event_streams.py

Two gunicorns of one worker each serve one database: one names no streams, the other names them while a process holds
500 that are open. Rounds alternate between both, so that other work hits both alike; each asks all flags for known
units, once as a new client (200) and once as one that knows the answer (304). Shown are calls a second, and
microseconds of the web process for each call, which other work on the machine touches less. Then the configuration is
changed several times.
"""

import argparse
import asyncio
import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.frame import options_of

CONNECTIONS = 4
UNITS = 200
BULK = "/ofrep/v1/evaluate/flags"
FLAGS = 5


def main() -> None:
    parser = options_of(__doc__, page=False, processes=False, rounds=7, streams=500, changes=5)
    parser.add_argument("--calls", type=int, default=4_000, help="of each kind in each round")
    parser.add_argument(
        "--database", default=os.environ.get("DATABASE_URL", ""), help="of a PostgreSQL server; or SQLite"
    )
    options = parser.parse_args()
    os.environ["DATABASE_URL"] = options.database
    with served() as (without, beside, key):
        asyncio.run(measured(without, beside, key, options))


@contextmanager
def served() -> Iterator[tuple[Any, Any, str]]:
    """A site without streams, the process of streams of one that has them, and a key."""
    from tests.clients.flags import arms, create, issue
    from tests.clients.server import Site, free_port, fresh_database
    from tests.clients.streams.conftest import Streams

    with ExitStack() as stack:
        name = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="insight-bench-")))
        url = stack.enter_context(fresh_database(name))
        port, given = free_port(), {"WEB_CONCURRENCY": "1", "EVENT_STREAMS_VISITOR": "10000"}
        folders = [name / "without", name / "with"]
        for folder in folders:
            folder.mkdir()
        sites = [Site(folder, url, **given) for folder in folders]
        sites[1].environment |= {n: sites[0].environment[n] for n in ("SECRET_KEY", "EVENTS_URL")}
        sites[1].environment["EVENT_STREAMS_URL"] = f"http://127.0.0.1:{port}"
        sites[0].manage("migrate", "-v0")
        create(sites[0], *({"key": f"flag-{n}", "variants": arms(5_000, 5_000)} for n in range(FLAGS)))
        (key,) = issue(sites[0], ("client", 100_000_000, []))
        for site in sites:
            site.start()
            stack.callback(site.stop)
        held = Streams(sites[1], port).start()
        stack.callback(held.stop)
        yield sites[0], held, key


async def measured(without: Any, beside: Any, key: str, options: argparse.Namespace) -> None:
    """Open the streams, poll beside them, and change the configuration."""
    path = f"/ofrep/v1/streams/{key}"
    held = [await opened(beside.port, path) for _ in range(options.streams)]
    sites = {"without": without, "with": beside.site}
    found: dict[str, list[tuple[float, float]]] = {}
    for turn in range(options.rounds + 1):
        for name, site in list(sites.items())[:: 1 if turn % 2 else -1]:
            for kind in (200, 304):
                speed = await asyncio.to_thread(polled, site, key, options.calls, kind)
                if turn:  # the first warms both
                    found.setdefault(f"{name} {kind}", []).append(speed)
    report(found, options)
    print(f"{'streams':<28}{beside.metric('insight_event_streams_open'):>10.0f} open")
    await asyncio.sleep(3)
    for _ in range(options.changes):
        heard = await told(held, beside.site)
        print(f"{'a change reached all after':<28}{max(heard):>10.2f} s   (the first {min(heard):.2f} s)")
        await asyncio.sleep(2)
    for _, writer in held:
        writer.close()


async def opened(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream after its first lines."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await reader.readuntil(b"retry: ")
    return reader, writer


async def told(held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]], site: Any) -> list[float]:
    """Seconds from a change until each stream heard of it."""
    from tests.clients.streams.conftest import change

    for reader, _ in held:
        while True:  # what came before
            try:
                await asyncio.wait_for(reader.read(65_536), 0.001)
            except TimeoutError:
                break
    waiting = asyncio.gather(*(heard(reader) for reader, _ in held))
    done = await asyncio.to_thread(change, site)
    return [at - done for at in await waiting]


async def heard(reader: asyncio.StreamReader) -> float:
    """When the next event came, in Unix seconds."""
    await asyncio.wait_for(reader.readuntil(b"refetchEvaluation"), 60)
    return time.time()


def polled(site: Any, key: str, calls: int, kind: int) -> tuple[float, float]:
    """Calls a second, and microseconds of the web process for each."""
    before, began = worker_seconds(site), time.perf_counter()
    trouble: list[str] = []
    threads = [
        threading.Thread(target=poll, args=(site.port, key, calls // CONNECTIONS, kind, trouble))
        for _ in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if trouble:
        raise SystemExit(trouble[0])
    took = time.perf_counter() - began
    return calls / took, (worker_seconds(site) - before) / calls * 1e6


def poll(port: int, key: str, calls: int, kind: int, trouble: list[str]) -> None:
    """Ask one after the other over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    tags: dict[int, str] = {}
    asked = 0
    while asked < calls:
        unit = asked % UNITS
        body = json.dumps({"context": {"targetingKey": f"unit-{unit}"}})
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        if kind == 304 and unit in tags:
            headers["If-None-Match"] = tags[unit]
        connection.request("POST", BULK, body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != (kind if unit in tags else 200):
            trouble.append(f"{answer.status} in place of {kind}")
            return
        tags[unit] = answer.headers["ETag"]
        asked += 1


def worker_seconds(site: Any) -> float:
    """Processor time of the site's web process so far."""
    from benchmarks.jobs.events import seconds

    master = site.process.pid
    return seconds(Path(f"/proc/{master}/task/{master}/children").read_text().split())


def report(found: dict[str, list[tuple[float, float]]], options: argparse.Namespace) -> None:
    """Medians of the rounds, and their ratios with to without, round by round."""
    print(
        f"{options.rounds} rounds of {options.calls:,} calls, {CONNECTIONS} connections, {options.streams} open streams"
    )
    print(f"{'':<28}{'without':>10}{'with':>10}{'with / without (range of rounds)':>40}")
    for kind in (200, 304):
        for at, name in enumerate(("calls a second", "µs of the web process")):
            plain = [one[at] for one in found[f"without {kind}"]]
            other = [one[at] for one in found[f"with {kind}"]]
            ratios = [b / a for a, b in zip(plain, other, strict=True)]
            said = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
            line = f"{statistics.median(plain):>10,.0f}{statistics.median(other):>10,.0f}{said:>40}"
            print(f"{f'{kind}: {name}':<28}{line}")


if __name__ == "__main__":
    main()
