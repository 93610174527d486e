"""The views of Explore over many events: seconds of the first answer, cold and warm, on two cores.

    .venv/bin/python benchmarks/explore.py --users 1000000 --events 50000000 --folder /somewhere/with/20GB

Makes the log by a seed (kept in the folder, so that a second call doesn't make it again). Prints the minutes of the
preparation from nothing and after one more batch; then, for each view, the first answer of a fresh process (cold: the
libraries are loaded, nothing about this question is prepared) and another question of the same kind after it (warm).
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START = date(2026, 1, 1)
# Each view with a cold question and, after it, a warm one that asks something else.
VIEWS = {
    "retention": ("retention=on_day:7", "retention=window:14-20"),
    "activity": ("behaviour=event_1", "behaviour=event_2&step=week"),
    "times": ("behaviour=event_1&days=7", "behaviour=event_2&days=3&retention=window:7-13"),
    "lifecycle": ("", "from=2026-02-01"),
    "funnel": ("step=signup&step=event_1&step=event_2", "step=event_3&step=event_4&step=event_5&days=14"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--make-only", action="store_true")
    parser.add_argument("--ask", nargs=2, metavar=("VIEW", "QUESTION"), action="append", help="in this process, timed")
    options = parser.parse_args()
    _prepare(options.folder)
    if options.ask:
        print(json.dumps(ask(options.ask)))
        return
    make_store(options.folder, options.users, options.events, options.days, options.seed)
    if not options.make_only:
        bench(options.folder)


def _prepare(folder: Path) -> None:
    sys.path.insert(0, str(ROOT))
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "insight_site.settings",
        "EVENTS_URL": str(folder / "store"),
        "EXPLORE_DIR": str(folder / "prepared"),
        "DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}",
    }
    import django

    django.setup()


def make_store(folder: Path, users: int, events: int, days: int, seed: int) -> None:
    """A log like a game's, straight into the store: user ids of 32 letters, 60 kinds of events that thin out with age."""
    import duckdb

    from events import store
    from events.disk import NewFile

    if (folder / "store" / "_delta_log").exists():
        return
    shutil.rmtree(folder / "made", ignore_errors=True)
    engine = duckdb.connect()
    engine.execute(f"SET memory_limit = '3GB'; SET threads = 2; SET temp_directory = '{folder / 'spill'}'")
    engine.execute(
        f"""COPY (SELECT *, CAST(time AS DATE) AS event_date FROM (
            SELECT md5(concat('{seed}', i % {users})) AS user_id,
                CASE WHEN i < {users} THEN 'signup' ELSE concat('event_', CAST(floor(
                    60 * pow((hash(i, {seed} + 2) % 1000000) / 1e6, 3)) AS INTEGER)) END AS event,
                TIMESTAMP '{START}' + to_microseconds(CAST(
                    CAST(hash(i % {users}, {seed}) % 86400000 AS BIGINT) * {days} * 750
                    + CASE WHEN i < {users} THEN 0 ELSE
                        pow((hash(i, {seed} + 1) % 1000000) / 1e6, 4) * {days} * 86400e6 END AS BIGINT)) AS time,
                concat('{{"level": ', hash(i, 3) % 100, ', "platform": "',
                    ['ios', 'android', 'web'][1 + CAST(hash(i % {users}) % 3 AS BIGINT)], '"}}') AS properties,
                concat('bench:', i) AS message_id, TIMESTAMP '2027-01-01' AS received_at
            FROM range({events}) AS r(i)) WHERE time < TIMESTAMP '{START}' + to_days({days}))
        TO '{folder / "made"}' (FORMAT parquet, PARTITION_BY (event_date), COMPRESSION zstd)"""
    )
    files = []
    with store.staging() as staged:
        for path in sorted((folder / "made").rglob("*.parquet")):
            place = staged / f"{len(files)}.parquet"
            path.rename(place)
            rows, low, high = engine.execute(f"SELECT count(*), min(time), max(time) FROM '{place}'").fetchone() or ()
            day = date.fromisoformat(path.parent.name.removeprefix("event_date="))
            files.append(NewFile(place, day, rows, place.stat().st_size, f"{low.isoformat()}Z", f"{high.isoformat()}Z"))
        store.snapshot().add(files, app_id="bench")
    shutil.rmtree(folder / "made")
