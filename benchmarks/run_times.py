"""Run times told beside times taken, for docs/scale.md: a study and a search for groups, each twice in a new site.

    python -m benchmarks.run_times                             # prints; some 25 minutes on two cores
    python -m benchmarks.run_times --sizes 3000 100000         # six minutes
    python -m benchmarks.run_times --write                     # also writes docs/scale.md

At each size a site on SQLite gets the simulated world `step`, and a worker that has compiled what it compiles at its
start. The first study is told a range, since no run was measured; the time told for the second comes from the first.
Told is what the page says before the start; taken is from the row's start to its end. On a machine with other work the
ratio still holds as far as the work is the same beside both runs.
"""

import json
import math
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.frame import ROOT, header, keep, options_of, where_and_when, write_between
from benchmarks.harness.site import BenchSite
from benchmarks.jobs.pages import waiting_worker

SIZES = (3_000, 100_000, 1_000_000)
RECORD, PAGE = ROOT / "docs" / "performance" / "run_times.json", ROOT / "docs" / "scale.md"
FIRST, LAST = "<!-- run times: written by benchmarks/run_times.py -->", "<!-- end of run times -->"
MOST_SECONDS = 3_600
SIGNUP = ("platform", "channel", "country")
ASKED = """
import json
from runs.run_times import told_words
"""
STUDY = """
from aha.questions.preview import preview
from aha.study.question import Inputs
from aha.study.studies import start_study as start
inputs = Inputs("signup", (1, 3, 7), "window:14-20")
takes = preview(inputs).takes
"""
SEARCH = """
from segments.search.segmentations import foretell
from segments.search.question import Inputs
from segments.search.segmentations import start_segmentation as start
inputs = Inputs("signup", 0, 6, "window:14-20")
takes = foretell(inputs).takes
"""
STARTED = """
pk = start(inputs=inputs, seed=SEED).pk
print(json.dumps({"pk": pk, "least": takes.least, "most": takes.most, "words": told_words(takes)[0]}))
"""
KINDS = {"study": (STUDY, "aha_study"), "search for groups": (SEARCH, "segments_segmentationrun")}
COMPILING = "import json\nfrom runs.queue import worker\nprint(json.dumps(worker.needs_warming()))"


def main() -> None:
    parser = options_of(__doc__, page=False, processes=False)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="users")
    parser.add_argument("--write", action="store_true", help="docs/scale.md, for all of the usual sizes alone")
    options = parser.parse_args()
    found: dict[str, Any] = {**where_and_when(), "runs": []}
    with TemporaryDirectory(prefix="insight-bench-") as compiled:
        for users in options.sizes:
            with site_of(users, compiled) as site:
                found["runs"] += [run(site, kind, users, seed) for kind in KINDS for seed in (1, 2)]
    found["load"] = [found["load"], where_and_when()["load"]]
    print("\n".join(part(found)))
    if options.write and set(options.sizes) == set(SIZES):
        write_part(PAGE, keep(RECORD, found))


@contextmanager
def site_of(users: int, compiled: str) -> Iterator[BenchSite]:
    """A site with so many simulated users, and a worker that has nothing to do and nothing to compile any more."""
    with TemporaryDirectory(prefix="insight-bench-") as name:
        folder = Path(name)
        own = {"VAR_DIR": str(folder / "var"), "EVENTS_URL": str(folder / "store"), "COMPILED_DIR": compiled}
        own |= {"NUMBA_CACHE_DIR": compiled, "COMPUTE_WORKERS": "0"}  # tests, whose site this is, set others
        site = BenchSite(folder, f"sqlite:///{folder / 'site.sqlite3'}", **own)
        site.manage("migrate", "-v0")
        site.manage("simulate", str(folder / "made"), "--units", str(users))
        columns = ["--user", "user_id", "--event", "event", "--time", "time", "--message-id", "message_id"]
        site.manage("import_events", *columns, "--properties", *SIGNUP, "--", str(with_columns(folder / "made")))
        with waiting_worker(site, folder):
            until = time.monotonic() + MOST_SECONDS
            while site.run(COMPILING) and time.monotonic() < until:
                time.sleep(5)
            yield site


def with_columns(made: Path) -> Path:
    """The events with what is known at signup as columns of their own, as an importer takes it."""
    import duckdb

    columns = ", ".join(f"properties->>'{name}' AS {name}" for name in SIGNUP)
    target = made / "columns.parquet"
    duckdb.sql(
        f"COPY (SELECT user_id, event, time, message_id, {columns} FROM '{made / 'events.parquet'}') TO '{target}'"
    )
    return target


def run(site: BenchSite, kind: str, users: int, seed: int) -> dict[str, Any]:
    """Start one, and wait for its end without asking the site: the machine is the run's."""
    question, table = KINDS[kind]
    told = site.run(ASKED + question + STARTED.replace("SEED", str(seed)))
    row = ended(Path(site.folder) / "site.sqlite3", table, told.pop("pk"))
    spent = json.loads(row["spent"])
    began, finished = (datetime.fromisoformat(row[name]) for name in ("started_at", "finished_at"))
    kept = {name: spent[name] for name in ("steps", "size", "compiled", "workers", "processor_seconds")}
    found = {"kind": kind, "users": users, "turn": seed, **told, "taken": (finished - began).total_seconds(), **kept}
    print(json.dumps(found), flush=True)
    return found


def ended(database: Path, table: str, pk: int) -> Mapping[str, Any]:
    """The row of a run that is done.

    Raises:
        SystemExit: it ended otherwise, or not at all.
    """
    columns = "status, reason, started_at, finished_at, json_extract(payload, '$.spent') AS spent"
    until = time.monotonic() + MOST_SECONDS
    while time.monotonic() < until:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            row = connection.execute(f"SELECT {columns} FROM {table} WHERE id = ?", [pk]).fetchone()
        if row["status"] == "done":
            return dict(row)
        if row["status"] in ("failed", "cancelled"):
            raise SystemExit(f"{table} {pk} {row['status']}: {row['reason']}")
        time.sleep(1)
    raise SystemExit(f"{table} {pk} doesn't end")


def part(found: Mapping[str, Any]) -> list[str]:
    lines = [*header("run", "users", "the first took", "told before the second", "it took", "told / taken")]
    for first, second in pairs(found["runs"]):
        middle = math.sqrt(second["least"] * second["most"])
        lines.append(
            f"| {second['kind']} | {second['users']:,} | {first['taken']:.1f} s, told {first['words']} | "
            f"{second['words']} ({middle:.1f} s) | {second['taken']:.1f} s | {middle / second['taken']:.2f} |"
        )
    lines += ["", *header("run", "step", "seconds by users, of the second run", "slope")]
    seconds = [second for _first, second in pairs(found["runs"])]
    for kind in dict.fromkeys(one["kind"] for one in seconds):
        of_kind = [one for one in seconds if one["kind"] == kind]
        for step in of_kind[0]["steps"]:
            cells = [f"{one['users']:,}: {one['steps'][step]:.1f} s" for one in of_kind]
            lines.append(f"| {kind} | {step} | {', '.join(cells)} | {slope(of_kind, step)} |")
    where = f"{found['date']}, commit {found['commit']}; {found['machine']}, {found['system']}. Load {found['load']}."
    return [*lines, "", where]


def pairs(runs: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    return zip(runs[::2], runs[1::2], strict=True)


def slope(runs: Sequence[Mapping[str, Any]], step: str) -> str:
    first, last = runs[0], runs[-1]
    if first["users"] == last["users"]:
        return ""
    grown = math.log(last["steps"][step] / first["steps"][step])
    return f"{grown / math.log(last['users'] / first['users']):.2f}"


def write_part(page: Path, found: Mapping[str, Any]) -> None:
    write_between(page, FIRST, LAST, ["", *part(found), ""])


if __name__ == "__main__":
    main()
