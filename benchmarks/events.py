"""Import, flush, compaction and a retention question over many events, beside DuckDB's own CSV-to-Parquet copy.

    .venv/bin/python benchmarks/events.py --events 5000000

Prints one line per step with seconds and rows/s, and the peak memory of the process. The events are made by a seed.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="insight-bench-") as folder:
        _prepare(Path(folder))
        _bench(Path(folder), options.events, options.days, options.seed)


def _prepare(folder: Path) -> None:
    sys.path.insert(0, str(ROOT))
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "insight_site.settings",
        "EVENTS_URL": str(folder / "store"),
        "DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}",
    }
    import django

    django.setup()


def _bench(folder: Path, events: int, days: int, seed: int) -> None:
    import duckdb

    from events.importing import import_file
    from events.importing.options import ImportOptions

    csv = folder / "events.csv"
    make_events(csv, events, days, seed)
    print(
        f"{events:,} events, {csv.stat().st_size / 1e6:,.0f} MB of CSV; "
        f"{os.cpu_count()} cores, duckdb {duckdb.__version__}"
    )
    copy = f"COPY (SELECT * FROM read_csv('{csv}')) TO '{folder / 'copy.parquet'}' (FORMAT parquet)"
    floor = timed("DuckDB's own copy", events, lambda: duckdb.connect().execute(copy))
    options = ImportOptions(user="user", time="time", event="event", properties=("level", "platform"))
    first = timed("import", events, lambda: import_file.import_files([csv], options))
    print(f"{'import against the copy':28} {floor / first:8.2f} of its speed; peak memory so far {peak_mb():,.0f} MB")
    timed("import again (no-op)", events, lambda: import_file.import_files([csv], options))
    bench_repeats(folder, csv, events, options)
    bench_flush(min(events, 50_000))
    ask(events, "before compaction")
    bench_compaction(min(300, max(10, events // 10_000)), 100)
    ask(events, "after compaction")
    print(f"{'peak memory':28} {peak_mb():8,.0f} MB")


def bench_repeats(folder: Path, csv: Path, events: int, options: Any) -> None:
    """The same log, each hundredth row twice: every date has repeats, the import's worst case. In its own store."""
    import duckdb
    from django.conf import settings

    from events.importing import import_file

    twice, place = folder / "repeats.csv", settings.EVENTS_URL
    duckdb.connect().execute(
        f"""COPY (SELECT * FROM read_csv('{csv}', all_varchar = true) UNION ALL
            SELECT * FROM read_csv('{csv}', all_varchar = true) WHERE level = '7') TO '{twice}' (FORMAT csv, HEADER)"""
    )
    settings.EVENTS_URL = str(folder / "repeats")
    timed("import, 1 % of rows twice", events * 101 // 100, lambda: import_file.import_files([twice], options))
    settings.EVENTS_URL = place


def ask(events: int, when: str) -> None:
    """Questions to the store as it is now."""
    from events import warehouse
    from events.counting import queries
    from events.counting.unit_values import Basis
    from events.metrics import parse_retention
    from events.windows import Clock, data_end

    print(when)
    definitions = {"r": parse_retention("window:14-20"), "d": parse_retention("min_days:14-20:2")}
    with warehouse.connect() as house:
        span = house.run(queries.span(house.events, Clock())).iloc[0]
        basis = Basis(Clock(), data_end(span.newest.to_pydatetime(), Clock()))
        users = queries.cohort(house.events, "signup", basis)
        curve = queries.retention_curve(house.events, users, basis, range(30))
        values = queries.outcomes(house.events, users, basis, definitions)
        counts = queries.counts(house.events, users, basis, days=7)
        timed(
            "retention, two definitions",
            events,
            lambda: house.run(values.aggregate(r=values.r.mean(), d=values.d.mean())),
        )
        timed("retention curve, 30 days", events, lambda: house.run(curve))
        timed(
            "counts per behaviour and day",
            events,
            lambda: house.run(counts.aggregate(n=counts.n.sum(), rows=counts.count())),
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


def bench_flush(rows: int) -> None:
    """The outbox's flush: rows made by the door's own insert, then moved to the store."""
    from datetime import UTC, datetime

    from django.core.management import call_command
    from django.db import transaction

    from events.outbox import accept, flush
    from events.schema import read_batch

    call_command("migrate", verbosity=0)
    now = datetime(2026, 11, 1, tzinfo=UTC)

    def fill() -> None:
        for start in range(0, rows, 2_500):
            batch = [
                {
                    "type": "track",
                    "userId": f"u{n % 997}",
                    "event": f"event_{n % 60}",
                    "messageId": f"m{n}",
                    "timestamp": "2026-10-31T12:00:00Z",
                    "properties": {"level": n % 100},
                }
                for n in range(start, min(start + 2_500, rows))
            ]
            records, rejected = read_batch(batch, received_at=now)
            if rejected:
                raise SystemExit(f"the benchmark's own events were refused: {rejected[0]}")
            with transaction.atomic():
                accept.add_to_outbox(records, prefix="bench", received_at=now)

    timed("accept into the outbox", rows, fill)
    timed("flush", rows, flush.flush_events)


def bench_compaction(commits: int, rows: int) -> None:
    """Many small appends on ten dates, as a flush each minute makes them; compaction, and a scan before and after."""
    from datetime import UTC, datetime, timedelta

    import duckdb

    from events import store
    from events.outbox.rows import to_table
    from tests.events.conftest import file_uris

    def fill() -> None:
        for number in range(1, commits + 1):
            moment = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=number % 10)
            table = to_table([(f"u{n}", "e", moment, "{}", f"c{number}-{n}", moment) for n in range(rows)])
            store.append(table, app_id="bench", version=number)

    def scan() -> None:
        duckdb.execute("SELECT count(DISTINCT user_id) FROM read_parquet($f)", {"f": file_uris()}).fetchall()

    timed(f"{commits} appends of {rows} rows", commits * rows, fill)
    before = len(file_uris())
    timed("scan before compaction", 0, scan)
    timed("compaction", commits * rows, store.compact)
    print(f"{'files':28} {before:8} before, {len(file_uris())} after")
    timed("scan after compaction", 0, scan)


def timed(name: str, rows: int, job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    seconds = time.perf_counter() - started
    speed = f" {rows / seconds:12,.0f} rows/s" if rows else ""
    print(f"{name:28} {seconds:8.2f} s{speed}", flush=True)
    return seconds


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
