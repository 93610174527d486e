"""Events over HTTP into PostgreSQL beside a bare COPY of the same rows into the same tables; then their flush.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres .venv/bin/python benchmarks/doors/ingest.py

gunicorn runs with the project's configuration on a database of its own; batches of 100 come over 8 connections that are
kept as long as the server keeps them. Each round empties the tables, takes the batches over HTTP, reads the rows back,
empties them, copies the rows in one COPY and commit for each batch (as a door must that answers after the commit),
then in one COPY, and moves them to the store. The rounds alternate, so that other work hits all alike. Senders, workers
and PostgreSQL share the machine's cores; the processor time of the last two is shown for each event.
"""

import argparse
import http.client
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.clients.server import Site

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
CONNECTIONS = 8
BATCH = 100
TABLE, IDS = "events_outbox", "events_messageid"
COLUMNS, KEYS = "message_id, user_id, event, time, properties, received_at", "key, received_at"
# What segment-analytics-python sends for one call: 330 bytes, and the library's context with each event.
EVENT = (
    '{"integrations":{},"anonymousId":null,"timestamp":"%s","context":{"library":{"name":"segment-analytics-python",'
    '"version":"2.4.0"}},"userId":"user-%d","type":"track","event":"event_%d","messageId":"m-%d-%d","properties":'
    '{"level":%d,"platform":"android","price":%d.99,"guild":"길드"}}'
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=60_000, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", default=os.environ.get("DATABASE_URL", ""), help="of a PostgreSQL server")
    parser.add_argument("--gunicorn", default="", help="more of its options, such as a config with a profiler")
    options = parser.parse_args()
    if not options.database.startswith("postgres"):
        raise SystemExit("give a PostgreSQL server: --database or DATABASE_URL")
    os.environ["DATABASE_URL"] = options.database
    with served(options.gunicorn) as (site, key):
        rounds = [one_round(site, key, options.events, number) for number in range(options.rounds + 1)][1:]
    report(rounds, options.events)


@contextmanager
def served(more: str) -> Iterator[tuple["Site", str]]:
    """The site on a database of its own, and a key; this process asks the same database."""
    from tests.clients.server import Site, fresh_database

    with tempfile.TemporaryDirectory(prefix="insight-bench-") as name, fresh_database(Path(name)) as url:
        site = Site(Path(name), url, LOG_LEVEL="INFO", DATABASE_LOCK_SECONDS="4", GUNICORN_CMD_ARGS=more)
        site.manage("migrate", "-v0")
        key = site.issue_keys(1, rate=100_000_000)[0]
        os.environ |= {**site.environment, "DJANGO_SETTINGS_MODULE": "insight_site.settings"}
        import django

        django.setup()
        site.start("/readyz")
        try:
            yield site, key
        finally:
            django.db.connections.close_all()
            site.stop()


def one_round(site: "Site", key: str, events: int, number: int) -> dict[str, float]:
    """Events a second of each way, and microseconds of processor time for each event."""
    import psycopg

    from events.outbox import flush

    bodies = [batch(number, at, min(at + BATCH, events)) for at in range(0, events, BATCH)]
    found: dict[str, float] = {}
    with psycopg.connect(site.database_url, autocommit=True) as database:
        empty(database)
        before = processor(site, database)
        found["HTTP"] = events / post_all(site.port, key, bodies)
        after = processor(site, database)
        for name in before:
            found[f"µs {name}"] = (after[name] - before[name]) / events * 1e6
        lines, ids = copied_out(database)
        if not len(lines) == len(ids) == events:
            raise SystemExit(f"{len(lines)} rows and {len(ids)} ids for {events} events")
        parts = [(b"".join(lines[at : at + BATCH]), b"".join(ids[at : at + BATCH])) for at in range(0, events, BATCH)]
        whole = [(b"".join(lines), b"".join(ids))]
        for name, pieces in (("COPY, a commit for each batch", parts), ("COPY", whole)):
            empty(database)
            found[name] = events / timed(lambda pieces=pieces: copy_in(database, pieces))
    found["flush"] = events / timed(lambda: check(flush.flush_events(), events))
    return found


def batch(turn: int, first: int, end: int) -> bytes:
    """A body as the library sends it, with ids that no other batch has."""
    now = datetime.now(UTC).isoformat()
    events = (EVENT % (now, n % 9_973, n % 60, turn, n, n % 100, n % 37) for n in range(first, end))
    return f'{{"sentAt":"{now}","batch":[{",".join(events)}]}}'.encode()


def post_all(port: int, key: str, bodies: list[bytes]) -> float:
    """Seconds until all bodies are answered, sent over so many connections at once."""
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for body in bodies:
        waiting.put(body)
    trouble: list[str] = []

    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        while not trouble:
            try:
                body = waiting.get_nowait()
            except queue.Empty:
                return
            connection.request("POST", "/v1/batch", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200 or b'"rejectedCount": 0' not in content.replace(b":0", b": 0"):
                trouble.append(f"{answer.status} {content[:300]!r}")

    threads = [threading.Thread(target=run) for _ in range(CONNECTIONS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if trouble:
        raise SystemExit(trouble[0])
    return time.perf_counter() - started


def copy_in(database: Any, pieces: list[tuple[bytes, bytes]]) -> None:
    """The rows and the digests of their ids, into both tables that a request writes."""
    for rows, ids in pieces:
        with database.transaction(), database.cursor() as cursor:
            for table, columns, data in ((TABLE, COLUMNS, rows), (IDS, KEYS, ids)):
                with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                    copy.write(data)


def copied_out(database: Any) -> tuple[list[bytes], list[bytes]]:
    """The lines of both tables as COPY gives them, the rows in their order, the digests in any."""
    found = []
    for asked in (f"SELECT {COLUMNS} FROM {TABLE} ORDER BY id", f"SELECT {KEYS} FROM {IDS} ORDER BY md5(key::text)"):
        with database.cursor().copy(f"COPY ({asked}) TO STDOUT") as copy:
            found.append(b"".join(bytes(piece) for piece in copy).splitlines(keepends=True))
    return found[0], found[1]


def empty(database: Any) -> None:
    """The tables as new, with nothing that PostgreSQL still has to write for the step before."""
    database.execute(f"TRUNCATE {TABLE}, {IDS}")
    database.execute("CHECKPOINT")


def processor(site: "Site", database: Any) -> dict[str, float]:
    """Seconds of processor time so far, of the web workers and of their database connections."""
    assert site.process is not None
    master = site.process.pid
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    asked = database.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return {"workers": seconds(workers), "PostgreSQL": seconds([str(row[0]) for row in asked])}


def seconds(processes: list[str]) -> float:
    ticks = 0
    for process in processes:
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:  # on another machine, or gone
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def check(moved: int, events: int) -> None:
    if moved != events:
        raise SystemExit(f"{moved} of {events} events were flushed")


def timed(job: Any) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def report(rounds: list[dict[str, float]], events: int) -> None:
    command = ["git", "describe", "--always", "--dirty"]
    version = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(
        f"\n{version.stdout.strip()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}, {len(rounds)} rounds of {events:,} events in batches of {BATCH}, "
        f"{CONNECTIONS} connections"
    )
    for name in rounds[0]:
        values = sorted(found[name] for found in rounds)
        unit = " " if name.startswith("µs") else "/s"
        print(f"{name:32} {statistics.median(values):10,.0f}{unit}   {values[0]:10,.0f} … {values[-1]:,.0f}")
    for name in ("COPY", "COPY, a commit for each batch"):
        ratios = [found["HTTP"] / found[name] for found in rounds]
        print(f"HTTP against {name}: {statistics.median(ratios):.2f} ({min(ratios):.2f} … {max(ratios):.2f})")


if __name__ == "__main__":
    main()
