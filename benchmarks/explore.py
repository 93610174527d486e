"""The views of Explore over many events, as `jobs/explore_views.py` asks for them: each call is a process of its own.

    .venv/bin/python benchmarks/explore.py --users 1000000 --events 50000000 --folder /somewhere/with/20GB
    .venv/bin/python benchmarks/explore.py --folder /somewhere/with/20GB --view funnel

The first makes the log by a seed (kept in the folder, so that a second call doesn't make it again) and prepares it from
nothing. The second asks one view in a fresh process whose libraries are loaded: first a question of which nothing is
prepared, not even its users (cold), then another one of the same kind (warm), then that again and the most expensive
that a page can ask (heaviest: the event that is a quarter of the log). Both print JSON.

Where other programs run too, half of the processor's seconds is nearer to an idle machine's wall than the wall itself.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START = date(2026, 1, 1)
# Each view with the question of a fresh process, another one of the same kind, and one of the most frequent event.
VIEWS: dict[str, tuple[dict[str, object], ...]] = {
    "retention": ({"retention": "on_day:7"}, {"retention": "window:14-20"}, {"retention": "min_events:event_0:7-13:2"}),
    "activity": ({"behaviour": "event_1"}, {"behaviour": "event_2", "by": "week"}, {"behaviour": "event_0"}),
    "times": (
        {"behaviour": "event_1", "retention": "window:14-20"},
        {"behaviour": "event_2", "days": 3, "retention": "window:7-13"},
        {"behaviour": "event_0", "days": 14, "retention": "window:14-20"},
    ),
    "lifecycle": ({}, {"last": "2026-03-31"}, {"first": "2026-01-02"}),
    "funnel": (
        {"steps": ("signup", "event_1", "event_2")},
        {"steps": ("signup", "event_3", "event_4", "event_5"), "days": 14},
        {"steps": ("signup", "event_0", "event_1", "event_2"), "days": 30},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--view", choices=VIEWS, help="only this view, in this process")
    options = parser.parse_args()
    _prepare(options.folder)
    if options.view:
        print(json.dumps(ask_view(options.view)))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    make_store(options.folder, options.users, options.events, options.days, options.seed)
    prepare_log(options.folder)


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
    """A log like a game's, straight into the store: user ids of 32 letters, 60 kinds of events, fewer with age.

    Events that would lie after the last day are left out: about an eighth.
    """
    import duckdb

    from events import store
    from events.disk import NewFile

    if (folder / "store" / "_delta_log").exists():
        return  # of an earlier call
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
    files: list[Any] = []
    with store.staging() as staged:
        for path in sorted((folder / "made").rglob("*.parquet")):
            place = staged / f"{len(files)}.parquet"
            path.rename(place)
            rows, low, high = engine.execute(f"SELECT count(*), min(time), max(time) FROM '{place}'").fetchone() or ()
            day = date.fromisoformat(path.parent.name.removeprefix("event_date="))
            files.append(NewFile(place, day, rows, place.stat().st_size, f"{low.isoformat()}Z", f"{high.isoformat()}Z"))
        store.snapshot().add(files, app_id="bench")
    shutil.rmtree(folder / "made")


def prepare_log(folder: Path) -> None:
    """Prepare the log from nothing, and print what that took as JSON."""
    from django.core.management import call_command

    from events.prepared import numbered_log

    call_command("migrate", verbosity=0)
    shutil.rmtree(folder / "prepared", ignore_errors=True)
    load_libraries()
    seconds, cpu = timed(prepare)
    log = numbered_log.current()
    if log is None:
        raise SystemExit("nothing was prepared")
    size = sum(path.stat().st_size for path in log.folder.rglob("*") if path.is_file()) / 1e6
    figures: dict[str, object] = {
        "folder": str(log.folder),
        "s": seconds,
        "processor s": cpu,
        "MB": size,
        "peak MB": peak_mb(),
        "events": log.events,
        "users": log.users,
    }
    print(json.dumps(figures))


def prepare() -> None:
    """The numbered log of the store, from nothing."""
    from events.prepared.opened import Stop, prepared
    from runs.progress import silent

    with prepared(day_mode="rolling", stop=Stop(), progress=silent):
        pass


def load_libraries() -> None:
    """What a web process has loaded after its first answer."""
    import ibis
    import pandas  # noqa: F401 - ibis loads it with the first answer

    ibis.duckdb.connect().sql("SELECT 1").to_pyarrow()


type Seconds = tuple[float, float]


def ask_view(view: str) -> tuple[Seconds, Seconds, Seconds, float, Seconds]:
    """Wall and CPU seconds of cold, warm and that again, words and pictures included; peak MB; of the heaviest."""
    from aha.explore.answering import answer
    from aha.explore.question import Question
    from aha.explore.report import pages
    from events.prepared.opened import Stop
    from runs.progress import silent

    def ask(more: dict[str, object]) -> Seconds:
        dates: dict[str, Any] = {
            name: date.fromisoformat(str(more[name])) for name in ("first", "last") if name in more
        }
        given: dict[str, Any] = {**more, **dates}
        question = Question(view, "signup", **given)

        def job() -> None:
            shown = pages.show(question, answer(question, stop=Stop(), progress=silent))
            if not "".join(sheet.markup() for sheet in shown.sheets):
                raise SystemExit(f"{view} shows nothing")

        return timed(job)

    load_libraries()
    cold, warm, heaviest = VIEWS[view]
    return ask(cold), ask(warm), ask(warm), peak_mb(), ask(heaviest)


def timed(job: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds: where other programs run too, half of the CPU is nearer to an idle machine's wall."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    job()
    return time.perf_counter() - wall, cpu_seconds() - cpu


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
