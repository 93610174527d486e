"""Events on their way: over HTTP into PostgreSQL, from there into the store, and from a file."""

import http.client
import os
import queue
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness.clock import timed
from benchmarks.harness.job import Figures, Room, Side
from benchmarks.harness.site import ENDLESS, BenchSite, bench_site, own_django

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


@contextmanager
def ingest(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """A served site; the rows that its door makes of a first load are those that COPY brings."""
    import psycopg

    events, waiting = options["events"], list[bytes]()
    with ExitStack() as stack:
        site = stack.enter_context(bench_site(DATABASE_LOCK_SECONDS="4"))
        key = site.issue_keys(1, ENDLESS)[0]
        site.start("/readyz")
        database = stack.enter_context(psycopg.connect(site.database_url, autocommit=True))

        def fill(turn: int) -> None:
            empty(database)
            steps = range(0, events, BATCH)
            waiting[:] = [batch(turn, at, min(at + BATCH, events)) for at in steps]

        def ours(_turn: int) -> Figures:
            before = processor(site, database)
            seconds = post_all(site.port, key, waiting)
            spent = {name: after - before[name] for name, after in processor(site, database).items()}
            return {"events/s": events / seconds, **{f"{name} µs": s / events * 1e6 for name, s in spent.items()}}

        fill(-1)
        ours(-1)
        lines, ids = copied_out(database)
        rows = (b"".join(lines), b"".join(ids))

        def theirs(_turn: int) -> Figures:
            return {"events/s": events / timed(lambda: copy_in(database, [rows]))["s"]}

        yield Side("Insight, /v1/batch", ours, fill), Side("COPY", theirs, lambda _turn: empty(database))


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


def processor(site: BenchSite, database: Any) -> dict[str, float]:
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


FLUSH = """
import json, time
from datetime import UTC, datetime
from django.db import transaction
from events.outbox import accept, flush
from events.schema import read_batch
now = datetime(2026, 11, 1, tzinfo=UTC)
for start in range(0, ROWS, 2_500):
    batch = [{"type": "track", "userId": f"u{n % 997}", "event": f"event_{n % 60}", "messageId": f"TURN-{n}",
              "timestamp": f"2026-10-{1 + n % 28:02}T12:00:00Z", "properties": {"level": n % 100}}
             for n in range(start, min(start + 2_500, ROWS))]
    records, rejected = read_batch(batch, received_at=now)
    assert not rejected
    with transaction.atomic():
        accept.add_to_outbox(records, prefix="bench", received_at=now)
begun, spent = time.perf_counter(), time.process_time()
moved = flush.flush_events()
print(json.dumps([moved, time.perf_counter() - begun, time.process_time() - spent]))
"""
BARE = """
import json, time
from datetime import UTC, datetime
from pathlib import Path
import pyarrow as pa
from deltalake import write_deltalake
now = datetime(2026, 11, 1, tzinfo=UTC)
rows = [{"user_id": f"u{n % 997}", "event": f"event_{n % 60}", "time": datetime(2026, 10, 1 + n % 28, 12, tzinfo=UTC),
         "properties": json.dumps({"level": n % 100}), "message_id": f"bench:TURN-{n}", "received_at": now,
         "event_date": datetime(2026, 10, 1 + n % 28).date()} for n in range(ROWS)]
begun, spent = time.perf_counter(), time.process_time()
write_deltalake(FOLDER, pa.Table.from_pylist(rows), mode="append", partition_by=["event_date"])
print(json.dumps([len(rows), time.perf_counter() - begun, time.process_time() - spent]))
"""


@contextmanager
def flush(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """Each round fills the outbox through the door's own insert, unmeasured, and flushes it."""
    with bench_site() as site:

        def run(code: str, turn: int) -> Figures:
            filled = code.replace("ROWS", str(options["rows"])).replace("TURN", str(turn))
            moved, seconds, spent = site.run(filled.replace("FOLDER", repr(str(site.folder / "bare"))))
            if moved != options["rows"]:
                raise SystemExit(f"{moved:,} of {options['rows']:,} rows moved")
            return {"rows/s": moved / seconds, "s": seconds, "processor s": spent}

        yield Side("flush", lambda turn: run(FLUSH, turn)), Side("bare append", lambda turn: run(BARE, turn))


@contextmanager
def imported(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """Both read the same file; each import begins with no store."""
    with own_django() as folder:
        import duckdb

        from events.importing import import_file
        from events.importing.options import ImportOptions

        csv = folder / "events.csv"
        make_events(csv, options["events"], 60, 1)
        columns = ImportOptions(user="user", time="time", event="event", properties=("level", "platform"))
        copy = f"COPY (SELECT * FROM read_csv('{csv}')) TO '{folder / 'copy.parquet'}' (FORMAT parquet)"

        def speed(job: Any) -> Figures:
            figures = timed(job)
            return {"rows/s": options["events"] / figures["s"], **figures}

        yield (
            Side(
                "import",
                lambda _turn: speed(lambda: import_file.import_files([csv], columns)),
                lambda _turn: shutil.rmtree(folder / "store", ignore_errors=True),
            ),
            Side("copy", lambda _turn: speed(lambda: duckdb.connect().execute(copy))),
        )


def make_events(path: Path, events: int, days: int, seed: int) -> None:
    """A log like a game's: a signup per user, then events that thin out with the user's age; 1 user per 28 events."""
    import duckdb

    users = max(1, events // 28)
    duckdb.connect().execute(
        f"""COPY (SELECT uuid_of AS "user", event,
                strftime(moment, '%Y-%m-%dT%H:%M:%S.%fZ') AS time, level, platform FROM (
            SELECT md5(concat('{seed}', i % {users})) AS uuid_of,
                CASE WHEN i < {users} THEN 'signup' ELSE concat('event_', hash(i + {seed}) % 60) END AS event,
                TIMESTAMP '2026-01-01' + to_microseconds(CAST(
                    CAST(hash(i % {users}, {seed}) % 86400000 AS BIGINT) * {days} * 500
                    + CASE WHEN i < {users} THEN 0 ELSE
                        pow((hash(i, {seed} + 1) % 1000000) / 1e6, 4) * {days} * 86400e6 END AS BIGINT)) AS moment,
                hash(i, 3) % 100 AS level,
                ['ios', 'android', 'web'][1 + CAST(hash(i % {users}) % 3 AS BIGINT)] AS platform
            FROM range({events}) AS r(i))) TO '{path}' (FORMAT csv, HEADER)"""
    )
