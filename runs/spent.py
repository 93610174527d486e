"""Resources that a computation used, stored with its result to estimate the next run."""

import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runs import parallel, processes

TICK = 0.1  # seconds by which a file's timestamp may lag behind the clock


@dataclass(frozen=True)
class Spent:
    """Resources of one computation. They vary from run to run, unlike the rest of a result.

    Attributes:
        seconds: of wall clock.
        processor_seconds: of all cores, other processes of the computation included.
        peak_mb: peak memory of this process, plus the peaks of the others, which need not be simultaneous.
        workers: how many parts could be computed at once.
        steps: wall-clock seconds of each step in order; empty in results of version 0.4.
        size: the quantities that the steps' seconds grow with, by name: users, behaviours, and the like.
        compiled: Numba compiled something that later runs find in its cache.
    """

    seconds: float
    processor_seconds: float
    peak_mb: float
    workers: int
    steps: dict[str, float] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)
    compiled: bool = False


class Meter:
    """Measures a computation from its construction on; calling it returns the resources used so far."""

    def __init__(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()
        self.began = time.time() - TICK
        self.peak, self.elsewhere = 0.0, 0.0
        self.steps: dict[str, float] = {}

    def ended(self, step: str) -> None:
        """Record the end of a step; it began where the previous one ended."""
        self.steps[step] = round(time.perf_counter() - self.wall - sum(self.steps.values()), 3)

    def __call__(self, size: Mapping[str, int] | None = None) -> Spent:
        """Resources used so far, for a computation of this size."""
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
    """Measure the block. Child processes end with the block."""
    processes.take_spent()
    _forget_peak()
    try:
        yield Meter()
    finally:
        processes.close()


def _compiled_since(moment: float) -> bool:
    """Whether Numba wrote to its cache since then, in this process or another."""
    try:
        indexes = Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nbi")
        return any(index.stat().st_mtime >= moment for index in indexes)
    except (KeyError, OSError):
        return False


def _forget_peak() -> None:
    """Reset the peak memory: a worker computes many runs, and an earlier larger one must not count. Linux only."""
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
