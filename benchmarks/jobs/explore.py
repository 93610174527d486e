"""The views of Explore over many events: the first answer of a fresh process, and another of the same kind after it.

    python -m benchmarks.jobs.explore --users 1000000 --events 50000000 --folder /somewhere/with/20GB
    python -m benchmarks.jobs.explore --folder /somewhere/with/20GB --view funnel

The first makes the log by a seed (kept in the folder, so that a second call doesn't make it again) and prepares it from
nothing. The second asks one view in a fresh process whose libraries are loaded: first a question of which nothing is
prepared, not even its users (cold), then another one of the same kind (warm), then that again and the most expensive
that a page can ask (heaviest: the event that is a quarter of the log). Both print JSON.
"""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.frame import ROOT, in_django, options_of
from benchmarks.harness.clock import timed
from benchmarks.harness.job import Figures, Room, Side

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
    parser = options_of(__doc__, page=False, processes=False, users=1_000_000, events=50_000_000, days=120, seed=1)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--view", choices=VIEWS, help="only this view, in this process")
    options = parser.parse_args()
    in_django(options.folder, migrate=False)
    if options.view:
        print(json.dumps(ask_view(options.view)))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    make_store(options.folder, options.users, options.events, options.days, options.seed)
    prepare_log(options.folder)


def make_store(folder: Path, users: int, events: int, days: int, seed: int) -> None:
    """A log like a game's, straight into the store: user ids of 32 letters, 60 kinds of events, fewer with age.

    Events that would lie after the last day are left out: about an eighth.
    """
    import duckdb

    from events.importing.numbering import number_store
    from events.store import event_table
    from events.store.disk import NewFile

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
    with event_table.staging() as staged:
        for path in sorted((folder / "made").rglob("*.parquet")):
            place = staged / f"{len(files)}.parquet"
            path.rename(place)
            rows, low, high = engine.execute(f"SELECT count(*), min(time), max(time) FROM '{place}'").fetchone() or ()
            day = date.fromisoformat(path.parent.name.removeprefix("event_date="))
            files.append(NewFile(place, day, rows, place.stat().st_size, f"{low.isoformat()}Z", f"{high.isoformat()}Z"))
        event_table.snapshot().add(files, app_id="bench")
    shutil.rmtree(folder / "made")
    number_store()


def prepare_log(folder: Path) -> None:
    """Prepare the log from nothing, and print what that took as JSON."""
    from django.core.management import call_command

    from events.store.place import DERIVED
    from events.warehouse import daily_tables, explore_session

    call_command("migrate", verbosity=0)
    for place in (folder / "explore", folder / "store" / DERIVED):
        shutil.rmtree(place, ignore_errors=True)
    load_libraries()
    daily = timed(daily_tables.refresh)
    took = timed(prepare)
    kept = explore_session.folder()
    figures: dict[str, object] = {
        "kept": sorted(str(path) for path in kept.rglob("*") if path.is_file()),
        "daily tables s": daily["s"],
        "daily tables MB": megabytes(folder / "store" / DERIVED),
        **took,
        "MB": megabytes(kept),
        "peak MB": peak_mb(),
    }
    print(json.dumps(figures))


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def prepare() -> None:
    from events.warehouse.explore_session import Stop, prepared
    from runs.progress import silent

    with prepared(day_mode="rolling", stop=Stop(), progress=silent):
        pass


def load_libraries() -> None:
    """What a web process has loaded after its first answer."""
    import ibis
    import pandas  # noqa: F401 - ibis loads it with the first answer

    ibis.duckdb.connect().sql("SELECT 1").to_pyarrow()


type Seconds = tuple[float, ...]  # wall and processor


def ask_view(view: str) -> tuple[Seconds, Seconds, Seconds, float, Seconds]:
    """Wall and CPU seconds of cold, warm and that again, words and pictures included; peak MB; of the heaviest."""
    from aha.explore import report_pages
    from aha.explore.answering import answer
    from aha.explore.question import Question
    from events.warehouse.explore_session import Stop
    from runs.progress import silent

    def ask(more: dict[str, object]) -> Seconds:
        dates: dict[str, Any] = {
            name: date.fromisoformat(str(more[name])) for name in ("first", "last") if name in more
        }
        given: dict[str, Any] = {**more, **dates}
        question = Question(view, "signup", **given)

        def job() -> None:
            shown = report_pages.show(question, answer(question, stop=Stop(), progress=silent))
            if not "".join(sheet.markup() for sheet in shown.sheets):
                raise SystemExit(f"{view} shows nothing")

        return tuple(timed(job).values())

    load_libraries()
    cold, warm, heaviest = VIEWS[view]
    return ask(cold), ask(warm), ask(warm), peak_mb(), ask(heaviest)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def views(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """What is kept of a log; each round asks every view in a process of its own."""
    with TemporaryDirectory(prefix="insight-bench-") as name:
        folder = Path(name)
        size = ["--users", str(options["users"]), "--events", str(options["events"])]
        prepared = script("--folder", name, *size)

        def run(_turn: int) -> Figures:
            answers = {view: ask(folder, prepared["kept"], view) for view in VIEWS}
            cold, warm = {v: a[0] for v, a in answers.items()}, {v: a[1] for v, a in answers.items()}
            slowest = {"slowest cold s": max(one[0] for one in cold.values())}
            slowest |= {"slowest warm s": max(one[0] for one in warm.values())}
            each = {
                f"{view} {kind} s": one[view][0] for view in VIEWS for kind, one in (("cold", cold), ("warm", warm))
            }
            peak = {"peak MB": max(answer[3] for answer in answers.values())}
            return {**slowest, **each, **peak, "preparation from nothing s": prepared["s"]}

        yield (Side("Explore", run),)


def ask(folder: Path, prepared: Sequence[str], view: str) -> Any:
    """Seconds (wall, processor) of a cold, a warm and a repeated question, and the peak memory; no answer is kept."""
    for path in (folder / "explore").rglob("*"):
        if path.is_file() and str(path) not in prepared:
            path.unlink()
    return script("--folder", str(folder), "--view", view)


def script(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.jobs.explore", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"explore.py {' '.join(arguments)}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
