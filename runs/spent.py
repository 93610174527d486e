"""What a computation took: kept with its result, so that a page or a document can say what the next one will need."""

import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runs import parallel, processes

TICK = 0.1  # seconds by which the time of a file may be behind the clock


@dataclass(frozen=True)
class Spent:
    """What one computation took. It differs from run to run, as nothing else of a result does.

    Attributes:
        seconds: of wall clock.
        processor_seconds: of all cores, other processes of the computation included.
        peak_mb: memory held at most: of this process, plus the peaks of the others, which need not be at one time.
        workers: parts that might be computed at once.
        steps: seconds of wall clock of each step, one after the other; empty in results of version 0.4.
        size: what the steps' seconds grow with, by name: users, behaviours, and the like.
        compiled: Numba compiled something meanwhile, which no later run has to wait for.
    """

    seconds: float
    processor_seconds: float
    peak_mb: float
    workers: int
    steps: dict[str, float] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)
    compiled: bool = False


class Meter:
    """Measures a computation from its beginning on; called, it says what has been spent so far."""

    def __init__(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()
        self.began = time.time() - TICK
        self.peak, self.elsewhere = 0.0, 0.0
        self.steps: dict[str, float] = {}

    def ended(self, step: str) -> None:
        """A step has ended: it began where the one before it ended."""
        self.steps[step] = round(time.perf_counter() - self.wall - sum(self.steps.values()), 3)

    def __call__(self, size: Mapping[str, int] | None = None) -> Spent:
        """What has been spent so far, by a computation of this size."""
        peak, seconds = processes.take_spent()
        self.peak, self.elsewhere = max(self.peak, peak), self.elsewhere + seconds
        return Spent(
            round(time.perf_counter() - self.wall, 2),
            round(time.process_time() - self.processor + self.elsewhere, 2),
            round(_peak() + self.peak, 1),
            parallel.workers(),
            dict(self.steps),
            dict(size or {}),
            _compiled_since(self.began),
        )


@contextmanager
def measured() -> Iterator[Meter]:
    """Measure the block. Other processes end with the block."""
    processes.take_spent()
    _forget_peak()
    try:
        yield Meter()
    finally:
        processes.close()


def _compiled_since(moment: float) -> bool:
    """Whether Numba wrote an index of compiled code since then, for us or for a process beside us."""
    try:
        indexes = Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nbi")
        return any(index.stat().st_mtime >= moment for index in indexes)
    except (KeyError, OSError):
        return False


def _forget_peak() -> None:
    """A worker computes one run after another: the largest one before this must not count. Linux only."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _peak() -> float:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
