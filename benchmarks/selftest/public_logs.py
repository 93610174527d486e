"""The self-test on three public logs, by the commands that a site has: migrate, import_events, selftest.

    INSIGHT_REAL_DATA=FOLDER .venv/bin/python benchmarks/selftest/public_logs.py --plants 100 --write docs/selftest.md

The logs are read where they lie and imported into a store and a database of their own in a temporary folder. What they
are is written in the README beside them; they are no part of this repository.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
NAMES = ("CollegeMsg", "365", "CDNOW")


@dataclass(frozen=True)
class PublicLog:
    """How one log is imported, and what its self-test asks.

    Attributes:
        title: what the README of the data calls it.
        imports: arguments of import_events, each for one file.
        asks: arguments of selftest.
    """

    title: str
    imports: tuple[tuple[str, ...], ...]
    asks: tuple[str, ...]


def logs(data: Path, folder: Path) -> Iterator[tuple[str, PublicLog]]:
    """All three."""
    student = ("--user", "student_id", "--time")
    message = (str(data / "events/CollegeMsg.txt"), "--separator", " ", "--time", "weight", "--time-format", "unix_s")
    yield (
        "CollegeMsg",
        PublicLog(
            "CollegeMsg.txt",
            (
                (*message, "--user", "source", "--event-name", "message", "--properties", "target"),
                (*message, "--user", "target", "--event-name", "received", "--properties", "source"),
            ),
            (
                *("--signup-event", "*", "--retention", "window:14-34", "--days", "1", "3", "7"),
                *("--behaviours", "message", "message#target", "received"),
            ),
        ),
    )
    yield (
        "365",
        PublicLog(
            "365_student_info.csv, 365_student_engagement.csv, 365_student_purchases.csv",
            tuple(
                (str(data / f"events/365_student_{name}.csv"), *student, column, "--event-name", event)
                for name, column, event in (
                    ("info", "date_registered", "register"),
                    ("engagement", "date_watched", "watch"),
                    ("purchases", "date_purchased", "purchase"),
                )
            ),
            ("--signup-event", "register", "--retention", "window:8-30", "--days", "1", "3", "7"),
        ),
    )
    made = folder / "cdnow.csv"
    with made.open("w", newline="", encoding="ascii") as out, (data / "events/CDNOW_master.txt").open() as rows:
        writer = csv.writer(out)
        writer.writerow(["customer_id", "date", "cds"])
        writer.writerows(row.split()[:3] for row in list(rows)[1:])
    options = ("--user", "customer_id", "--time", "date", "--time-format", "%Y%m%d", "--event-name", "purchase")
    yield (
        "CDNOW",
        PublicLog(
            "CDNOW_master.txt",
            ((str(made), *options, "--properties", "cds"),),
            ("--signup-event", "purchase", "--retention", "window:31-90", "--days", "7", "14", "30"),
        ),
    )


def run(log: PublicLog, name: str, folder: Path, options: argparse.Namespace) -> tuple[dict[str, Any], float]:
    """One log from an empty site to its document, and the seconds that the self-test took."""
    place = folder / name
    place.mkdir()
    surroundings = os.environ | {
        "EVENTS_URL": str(place / "store"),
        "DATABASE_URL": f"sqlite:///{place / 'site.sqlite3'}",
        "EXPLORE_DIR": str(place / "prepared"),
    }

    def manage(*arguments: str) -> str:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, env=surroundings, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name}: {' '.join(arguments)}\n{done.stderr[-2000:]}")
        return done.stdout

    manage("migrate", "--verbosity", "0")
    for arguments in log.imports:
        manage("import_events", *arguments)
    began = time.monotonic()
    how = ("--plants", str(options.plants), "--seed", str(options.seed), "--users", str(options.users))
    text = manage("selftest", *log.asks, *how, "--json")
    return json.loads(text), time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("INSIGHT_REAL_DATA"), help="folder of the logs")
    parser.add_argument("--plants", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--users", type=int, default=41_000, help="above it a sample of a log's users is taken")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--write", type=Path, help="the page of docs/ whose figures are written anew")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data: name the folder of the logs, or set INSIGHT_REAL_DATA")
    from benchmarks.selftest.figures import section, write

    sections = []
    with tempfile.TemporaryDirectory() as folder:
        for name, log in logs(Path(options.data), Path(folder)):
            if name in options.only:
                found, seconds = run(log, name, Path(folder), options)
                sections.append(section(log.title, log.asks, found, seconds))
                print(sections[-1], flush=True)
                if options.write:
                    write(options.write, "\n\n".join(sections))


if __name__ == "__main__":
    main()
