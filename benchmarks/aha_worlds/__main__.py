"""Every entry in every world, over many seeds, scored against the truth.

    python -m benchmarks.aha_worlds --seeds 20 --write docs/aha_worlds.md
    python -m benchmarks.aha_worlds --worlds step no_effect --seeds 3 --only "naive A/B"

What is found is kept a line a round in benchmarks/aha_worlds/rows.jsonl; what is there isn't computed again, so a run
that was stopped goes on. `--fresh` begins anew (after a change of an entry's code: `--fresh --only NAME`).
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import as_completed
from pathlib import Path

# Two rounds run at once; the threads of each would only stand in the other's way.
os.environ["OMP_NUM_THREADS"] = "1"

from benchmarks.aha_worlds import tables
from benchmarks.aha_worlds.entries import ENTRIES
from benchmarks.aha_worlds.generator import PLAYED, make, score, without_experiment, world_hash
from benchmarks.frame import options_of, workers
from events.simulation import WORLDS

type Job = tuple[str, int, int, tuple[str, ...]]


def main() -> int:
    options = _options()
    wanted = tuple(options.only or [entry.name for entry in ENTRIES])
    rows = tables.read_rows(options.rows)
    if options.fresh:
        rows = {key: _without(row, wanted) for key, row in rows.items()}
    jobs = list(_jobs(options, wanted, rows))
    begun = time.perf_counter()
    with workers(options.processes) as pool:
        waiting = [pool.submit(play, job) for job in jobs]
        for number, done in enumerate(as_completed(waiting), start=1):
            row = done.result()
            old = rows.get(tables.key_of(row), {})
            row["answers"] = old.get("answers", {}) | row["answers"]
            rows[tables.key_of(row)] = row
            tables.append_row(options.rows, row)
            print(f"{number}/{len(jobs)} {row['world']} seed {row['seed']}: {row['seconds']} s", flush=True)
    print(f"{len(jobs)} rounds in {(time.perf_counter() - begun) / 60:.1f} minutes")
    ordered = sorted(rows.values(), key=lambda row: (list(WORLDS).index(row["world"]), row["seed"], row["units"]))
    tables.write_rows(options.rows, ordered)
    shown = [row for row in ordered if row["units"] == (options.units or WORLDS[row["world"]].units)]
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    text = tables.document([row for row in shown if row["world"] in options.worlds and row["seed"] in seeds])
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


def play(job: Job) -> tables.Row:
    """One round: the world is drawn, and the entries that are asked for answer it."""
    name, seed, units, wanted = job
    begun = time.perf_counter()
    world = make(name, seed, units)
    answers = {
        entry.name: score(entry, entry.play(world.log, world.experiment), world)
        for entry in ENTRIES
        if entry.name in wanted
    }
    return {
        "world": name,
        "seed": seed,
        "units": units,
        "parameters": world_hash(name),
        "moment": world.moment is not None,
        "causes": world.causes,
        "answers": answers,
        "seconds": round(time.perf_counter() - begun, 1),
    }


def _jobs(
    options: argparse.Namespace, wanted: tuple[str, ...], rows: dict[tuple[str, int, int], tables.Row]
) -> Iterator[Job]:
    """Seed by seed, so that a run that is stopped has all worlds."""
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in options.worlds:
            units = options.units or WORLDS[name].units
            there = rows.get((name, seed, units), {"answers": {}})["answers"]
            asked = [entry.name for entry in ENTRIES if not (entry.needs_experiment and without_experiment(name))]
            missing = tuple(one for one in asked if one in wanted and one not in there)
            if missing:
                yield name, seed, units, missing


def _without(row: tables.Row, names: tuple[str, ...]) -> tables.Row:
    return row | {"answers": {name: one for name, one in row["answers"].items() if name not in names}}


def _options() -> argparse.Namespace:
    parser = options_of(__doc__, seeds=20, first_seed=1)
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(PLAYED))
    parser.add_argument("--units", type=int, help="users of the log and of the experiment, each; else the world's own")
    parser.add_argument("--only", nargs="+", choices=[entry.name for entry in ENTRIES], help="these entries")
    parser.add_argument("--rows", type=Path, default=tables.ROWS)
    parser.add_argument("--fresh", action="store_true", help="compute again what is there")
    options = parser.parse_args()
    if options.seeds < 1 or options.processes < 1 or (options.units is not None and options.units < 1):
        parser.error("--seeds, --units and --processes are at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
