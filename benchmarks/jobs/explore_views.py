"""The views of Explore: the first answer of a fresh process, and another question of the same kind after it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.explore import VIEWS
from benchmarks.frame import ROOT
from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.room import Room

SCRIPT = ROOT / "benchmarks" / "explore.py"


@contextmanager
def opened(_room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """A prepared log; each round asks every view in a process of its own."""
    with TemporaryDirectory(prefix="insight-bench-") as name:
        folder = Path(name)
        size = ["--users", str(options["users"]), "--events", str(options["events"])]
        prepared = script("--folder", name, *size)

        def run(_turn: int) -> Figures:
            answers = {view: ask(folder, Path(prepared["folder"]), view) for view in VIEWS}
            cold, warm = {v: a[0] for v, a in answers.items()}, {v: a[1] for v, a in answers.items()}
            slowest = {"slowest cold s": max(one[0] for one in cold.values())}
            slowest |= {"slowest warm s": max(one[0] for one in warm.values())}
            each = {
                f"{view} {kind} s": one[view][0] for view in VIEWS for kind, one in (("cold", cold), ("warm", warm))
            }
            peak = {"peak MB": max(answer[3] for answer in answers.values())}
            return {**slowest, **each, **peak, "preparation from nothing s": prepared["s"]}

        yield (Side("Explore", run),)


def ask(folder: Path, prepared: Path, view: str) -> Any:
    """Seconds (wall, processor) of a cold, a warm and a repeated question, and the peak memory; nothing was kept."""
    for kept in prepared.glob("kept-*"):
        shutil.rmtree(kept)
    return script("--folder", str(folder), "--view", view)


def script(*arguments: str) -> Any:
    """What `benchmarks/explore.py` prints last."""
    done = subprocess.run([sys.executable, SCRIPT, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"explore.py {' '.join(arguments)}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


JOBS = (
    Job(
        "explore",
        "views of Explore",
        """50 million events of a million users at full size, user ids of 32 letters, 60 kinds of events over 120
        dates. Cold: the first question of a process, libraries not loaded; warm: another question of the same kind.
        The log was prepared before, as the worker does.""",
        "",
        {"tiny": {"users": 500, "events": 10_000, "rounds": 1}, "full": {"users": 1_000_000, "events": 50_000_000}},
        opened,
        (Aim("slowest cold s", at_most=8, ratio=False), Aim("slowest warm s", at_most=2, ratio=False)),
    ),
)
