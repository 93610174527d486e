"""What a computation took: kept with its result, so that a page or a document can say what the next one will need."""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runs import parallel, processes


@dataclass(frozen=True)
class Spent:
    """What one computation took. It differs from run to run, as nothing else of a result does.

    Attributes:
        seconds: of wall clock.
        processor_seconds: of all cores, other processes of the computation included.
        peak_mb: memory held at most: of this process, plus the peaks of the others, which need not be at one time.
        workers: parts that might be computed at once.
    """

    seconds: float
    processor_seconds: float
    peak_mb: float
    workers: int


@contextmanager
def measured() -> Iterator[Callable[[], Spent]]:
    """Measure the block; what it gives says what has been spent so far. Other processes end with the block."""
    processes.take_spent()
    _forget_peak()
    wall, processor = time.perf_counter(), time.process_time()
    elsewhere = [0.0, 0.0]

    def so_far() -> Spent:
        peak, seconds = processes.take_spent()
        elsewhere[:] = max(elsewhere[0], peak), elsewhere[1] + seconds
        return Spent(
            round(time.perf_counter() - wall, 2),
            round(time.process_time() - processor + elsewhere[1], 2),
            round(_peak() + elsewhere[0], 1),
            parallel.workers(),
        )

    try:
        yield so_far
    finally:
        processes.close()


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
