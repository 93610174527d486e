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

    from events import importing, queries, store, warehouse
    from events.import_options import ImportOptions
    from events.metrics import parse_retention
    from events.windows import Clock, data_end

    csv = folder / "events.csv"
    make_events(csv, events, days, seed)
    print(
        f"{events:,} events, {csv.stat().st_size / 1e6:,.0f} MB of CSV; "
        f"{os.cpu_count()} cores, duckdb {duckdb.__version__}"
    )
    copy = f"COPY (SELECT * FROM read_csv('{csv}')) TO '{folder / 'copy.parquet'}' (FORMAT parquet)"
    floor = timed("DuckDB's own copy", events, lambda: duckdb.connect().execute(copy))
    options = ImportOptions(user="user", time="time", event="event", properties=("level", "platform"))
    first = timed("import", events, lambda: importing.import_files([csv], options))
    print(f"{'import against the copy':28} {floor / first:8.2f} of its speed; peak memory so far {peak_mb():,.0f} MB")
    timed("import again (no-op)", events, lambda: importing.import_files([csv], options))
    bench_flush()
    timed("compaction", events, store.compact)
    definitions = {"r": parse_retention("window:14-20"), "d": parse_retention("min_days:14-20:2")}
    with warehouse.connect() as house:
        span = house.run(queries.span(house.events, Clock())).iloc[0]
        basis = queries.Basis(Clock(), data_end(span.newest.to_pydatetime(), Clock()))
        users = queries.cohort(house.events, "signup", basis)
        curve = queries.retention_curve(house.events, users, basis, range(30))
        values = queries.outcomes(house.events, users, basis, definitions)
        counts = queries.counts(house.events, users, basis, days=7)
        timed("retention, two definitions", events, lambda: house.run(queries.summaries(values, list(definitions))))
        timed("retention curve, 30 days", events, lambda: house.run(curve))
        timed(
            "counts per behaviour and day",
            events,
            lambda: house.run(counts.aggregate(n=counts.n.sum(), rows=counts.count())),
        )
    print(f"{'peak memory':28} {peak_mb():8,.0f} MB")


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


def bench_flush() -> None:
    """The outbox's flush, once the ingest side of the project is there."""
    try:
        from events import services
    except ImportError:
        print(f"{'flush':28} not measured: events.services isn't there yet")
        return
    flush = getattr(services, "flush_outbox", None) or getattr(services, "flush", None)
    if flush is None:
        print(f"{'flush':28} not measured: see benchmarks/ingest.py")


def timed(name: str, rows: int, job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    seconds = time.perf_counter() - started
    print(f"{name:28} {seconds:8.2f} s {rows / seconds:12,.0f} rows/s", flush=True)
    return seconds


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
