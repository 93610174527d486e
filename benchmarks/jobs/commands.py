"""Whole commands against version 0.3's of the same name: a study, a segmentation that is published, the demo."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.frame import ROOT
from benchmarks.harness.clock import timed_command
from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.peers import old_version
from benchmarks.harness.room import Room
from benchmarks.jobs.made_logs import BEHAVIOURS, DAYS, RETENTION, TIMES, even_store, grouped_store

OLD = "version 0.3"
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "CI_REQUIRE_ALL")


class Version:
    """A checkout with its Python and a folder for its database and store.

    Since 0.4 events have their users' numbers from their first flush or import on, so a store of `numbers` gets them.
    """

    def __init__(self, name: str, checkout: Path, python: Path, folder: Path, *, numbers: bool = False) -> None:
        self.name, self.checkout, self.python, self.folder, self.numbers = name, checkout, python, folder, numbers
        self.environment = {name: value for name, value in os.environ.items() if name in KEPT} | {
            "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}",
            "EVENTS_URL": str(folder / "store"),
            "EXPLORE_DIR": str(folder / "explore"),
            "SECRET_KEY": "only-for-benchmarks-" + "0" * 40,
            "DEBUG": "0",
        }

    def fresh(self, store: Path | None) -> None:
        """An empty database, and the store as it was made."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        if store is not None:
            shutil.copytree(store, self.folder / "store", copy_function=os.link)
        self.run("migrate", "-v0")
        if store is not None and self.numbers:
            self.run("flush_events", "--maintain")

    def run(self, *arguments: str) -> Figures:
        """A command of this version, measured."""
        command = [str(self.python), "manage.py", *arguments]
        log = self.folder.parent / f"{self.name}.log"
        return timed_command(command, cwd=self.checkout, environment=self.environment, log=log)


@contextmanager
def opened(
    _room: Room,
    options: Mapping[str, Any],
    *,
    command: Callable[[Mapping[str, Any]], Sequence[str]],
    store: Callable[[Path, int], None] | None,
) -> Iterator[Sequence[Side]]:
    """The command of this version, and of 0.3 unless `old` is 0; each round with a database of its own."""
    with TemporaryDirectory(prefix="insight-bench-") as name:
        folder, made = Path(name), None
        if store is not None:
            store(folder, options["users"])
            made = folder / "store"
        versions = [Version("this version", ROOT, Path(sys.executable), folder / "new", numbers=True)]
        if options["old"]:
            versions.append(Version(OLD, *old_version(), folder / "old"))
        words = command(options)
        yield [side(one, words, made) for one in versions]


def side(version: Version, words: Sequence[str], store: Path | None) -> Side:
    """A version's command."""
    return Side(version.name, lambda _turn: version.run(*words), lambda _turn: version.fresh(store))


def study(options: Mapping[str, Any]) -> list[str]:
    """A study with all evidence."""
    behaviours = [f"event_{number}" for number in range(options["behaviours"])]
    windows = ["--days", *map(str, DAYS), "--max-times", str(options["times"]), "--retention", RETENTION]
    return ["discover", "--signup-event", "signup", "--behaviours", *behaviours, *windows, "--json"]


def segmentation(_options: Mapping[str, Any]) -> list[str]:
    """A segmentation by the first week, published."""
    question = ["--signup-event", "signup", "--window", "0", "6", "--retention", RETENTION]
    return ["segment_units", *question, "--publish", "bench", "--json"]


def demo(options: Mapping[str, Any]) -> list[str]:
    """What `make demo` runs after `make setup`."""
    return ["demo", "--fresh", "--with-users", "--units", str(options["units"])]


STUDY = {"behaviours": BEHAVIOURS, "times": TIMES, "old": 1}
JOBS = (
    Job(
        "study",
        "whole study, all evidence",
        """`discover` with 50 behaviours × 3 windows × 20 thresholds over 50 events for each user (50 million of a
        million at full size): both start with an empty database over the same store and store their study. Memory
        is the sum over all processes.""",
        f"{OLD}'s command",
        {
            "tiny": {"users": 3_000, "behaviours": 3, "times": 5, "old": 0, "rounds": 2},
            "quick": {"users": 10_000, "behaviours": 10, "times": 10, "old": 0, "rounds": 1},
            "full": {"users": 1_000_000, **STUDY},
        },
        partial(opened, command=study, store=even_store),
        (
            Aim("s", at_most=75, ratio=False),
            Aim("peak GiB", at_most=4, ratio=False),
            Aim("wall/processor", at_most=0.6, ratio=False),
        ),
    ),
    Job(
        "segmentation",
        "segmentation, published",
        """`segment_units --publish` over 50 events of 30 kinds for each user (a million users at full size), three
        groups with kinds of their own.""",
        f"{OLD}'s command",
        {
            "tiny": {"users": 3_000, "old": 0, "rounds": 2},
            "quick": {"users": 10_000, "old": 0, "rounds": 1},
            "full": {"users": 1_000_000, "old": 1},
        },
        partial(opened, command=segmentation, store=grouped_store),
        (Aim("s", at_most=120, ratio=False), Aim("peak GiB", at_most=4, ratio=False)),
    ),
    Job(
        "demo",
        "the demo",
        """`manage.py demo --fresh --with-users`, which `make demo` runs after `make setup`. This version's demo
        does more: see `insight_site/demo/`.""",
        f"{OLD}'s command",
        {"tiny": {"units": 300, "old": 0, "rounds": 1}, "full": {"units": 20_000, "old": 1}},
        partial(opened, command=demo, store=None),
        (Aim("s", at_most=120, ratio=False),),
    ),
)
