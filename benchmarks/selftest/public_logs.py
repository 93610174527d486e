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

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.frame import ROOT, commit, options_of, write_between

NAMES = ("CollegeMsg", "365", "CDNOW")


@dataclass(frozen=True)
class PublicLog:
    """How the README of the data calls a log, arguments of import_events for each of its files, those of selftest."""

    title: str
    imports: tuple[tuple[str, ...], ...]
    asks: tuple[str, ...]


def logs(data: Path, folder: Path) -> Iterator[tuple[str, PublicLog]]:
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


def section(title: str, asks: tuple[str, ...], found: dict[str, Any], seconds: float) -> str:
    """One log: what was asked, where effects were planted, what was found and falsely claimed, and why not more."""
    planted, retained = found["planted"], found["retained"]
    lines = [
        f"### {title}",
        "",
        f"`selftest {' '.join(asks)} --plants {found['asked']['plants']} --seed {found['seed']} "
        f"--users {found['asked']['most_users']}`, {seconds:,.0f} s "
        "on a machine with other work.",
        "",
        f"{found['sampled']:,} of {found['users']:,} users; {_share(retained)} retained in truth. {found['headline']}",
    ]
    if planted:
        moment = planted["moment"]
        lines += [
            "",
            f"Planted on `{moment['behaviour']}`, at least {moment['times']} times within {moment['days']} days "
            f"(reached by {100 * moment['reach']:.1f} %): {100 * planted['gain']:.1f} points of retention.",
        ]
    if found["check"]:
        lines += ["", _check(found["check"])]
    if found["tallies"]:
        lines += [
            "",
            "| planted | what is said | k of n | share, exact 95 % | promised at most |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(tally) for tally in found["tallies"]]
    if found["shortfalls"]:
        lines += ["", "What these data can't show, and why:", ""]
        lines += [f"* {row['sentence']}" for row in found["shortfalls"]]
    return "\n".join(lines)


def _row(tally: dict[str, Any]) -> str:
    from insight_site.selftest.planted_effects import Plant
    from insight_site.selftest.selftest_page import asks_words, plant_words
    from insight_site.selftest.selftest_result import Asks

    planned = (
        "" if tally["planned"] is None else f"{100 * tally['planned']:.0f} %" + (" **no**" if tally["off"] else "")
    )
    plant = None if tally["plant"] is None else Plant(tally["plant"])
    cells = [plant_words(plant), asks_words(Asks(tally["asks"])), f"{tally['said']} of {tally['n']}"]
    return f"| {' | '.join([*cells, _share(tally['share']), planned])} |"


def _share(found: dict[str, Any]) -> str:
    return f"{100 * found['estimate']:.1f} % ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


def _check(check: dict[str, Any]) -> str:
    place = f"number {check['place']}" if check["place"] else "not listed"
    return (
        f"The first copy as a log: {check['differing']} of {check['units']:,} users read otherwise than planted. "
        f"A whole study of it: {place} of {check['candidates']} candidates, step: {check['step'] or 'not judged'}."
    )


def main() -> None:
    parser = options_of(__doc__, processes=False, plants=100, seed=1)
    parser.add_argument("--data", type=Path, default=os.environ.get("INSIGHT_REAL_DATA"), help="folder of the logs")
    parser.add_argument("--users", type=int, default=41_000, help="above it a sample of a log's users is taken")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data: name the folder of the logs, or set INSIGHT_REAL_DATA")
    sections = []
    with tempfile.TemporaryDirectory() as folder:
        for name, log in logs(Path(options.data), Path(folder)):
            if name in options.only:
                found, seconds = run(log, name, Path(folder), options)
                sections.append(section(log.title, log.asks, found, seconds))
                print(sections[-1], flush=True)
                if options.write:
                    made = [f"Made by commit {commit()}.", "", "\n\n".join(sections)]
                    write_between(options.write, "<!-- figures -->", "<!-- end of figures -->", made)


if __name__ == "__main__":
    main()
