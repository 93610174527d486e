"""Measure what a computation uses, and estimate from the last runs of its kind how long the next will take. Pure."""

import math
import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from reporting.words import gettext
from runs import parallel, processes

# Resources that a computation used, stored with its result to estimate the next run.

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


# Estimate how long a run will take, from the last runs of its kind on this machine scaled to its size. Pure.
#
# A kind's `Pace` gives the power of each size by which the seconds of a step grow; docs/scale.md has the
# measurements. Once a run has been measured, nothing else is assumed.

type Size = Mapping[str, int]
NEAREST = 3  # measured runs that a step's estimate uses
SLACK = 2.0  # factor either way for a run without measurements: another machine, other data
LONG = 90.0  # seconds from which times are shown in minutes


@dataclass(frozen=True)
class Pace:
    """How the steps of one kind of run grow.

    Attributes:
        slopes: by step, the exponent of each part of the size.
        usual: seconds of each step of a run of the size `at`, on the machine of docs/scale.md.
    """

    slopes: Mapping[str, Mapping[str, float]]
    usual: Mapping[str, float]
    at: Size

    def factor(self, step: str, size: Size, measured: Size) -> float:
        """How many times as long the step takes at a size as at the measured one."""
        grown = {part: math.log(max(size[part], 1) / max(measured[part], 1)) for part in self.slopes[step]}
        return math.exp(sum(slope * grown[part] for part, slope in self.slopes[step].items()))

    def fits(self, spent: Spent) -> bool:
        """Whether the run was measured step by step and didn't compile anything that is cached by now."""
        parts = {part for slopes in self.slopes.values() for part in slopes}
        return not spent.compiled and self.slopes.keys() <= spent.steps.keys() and parts <= spent.size.keys()


@dataclass(frozen=True)
class Told:
    """Estimated seconds of a run, at least and at most; the same number when similar runs were measured."""

    least: float
    most: float
    measured: bool


def tell(pace: Pace, size: Size, last: Sequence[Spent]) -> Told:
    """Estimate how long a run of this size will take.

    Args:
        pace: of its kind.
        size: of the run.
        last: resources used by the last runs of its kind, newest first. Runs with another number of workers than the
            newest came from another machine and are ignored.
    """
    fitting = [spent for spent in last if pace.fits(spent)]
    here = [spent for spent in fitting if spent.workers == fitting[0].workers]
    if not here:
        seconds = sum(taken * pace.factor(step, size, pace.at) for step, taken in pace.usual.items())
        return Told(seconds / SLACK, seconds * SLACK, measured=False)
    seconds = sum(_of_step(pace, step, size, here) for step in pace.slopes)
    return Told(seconds, seconds, measured=True)


def told_words(estimate: Told) -> tuple[str, str]:
    """The estimate in words, with a note."""
    leave = gettext("you can leave the page")
    least, most, minutes = _rounded(estimate.least), _rounded(estimate.most), estimate.most >= LONG
    if estimate.measured:
        text = gettext("about {count} minutes") if minutes else gettext("about {count} seconds")
        return text.format(count=round(estimate.most / 60) if minutes else most), leave
    if minutes and estimate.least < 60:
        text = gettext("about {least} seconds to {most} minutes").format(least=least, most=round(estimate.most / 60))
    elif minutes:
        text = gettext("about {least} to {most} minutes")
        text = text.format(least=round(estimate.least / 60), most=round(estimate.most / 60))
    else:
        text = gettext("about {least} to {most} seconds").format(least=least, most=most)
    return text, gettext("no run has been measured on this machine yet; you can leave the page")


def _of_step(pace: Pace, step: str, size: Size, last: Sequence[Spent]) -> float:
    """Median over the runs whose seconds need the least scaling; among equals the newest."""
    factors = [(pace.factor(step, size, spent.size), spent.steps[step]) for spent in last]
    nearest = sorted(factors, key=lambda pair: abs(math.log(pair[0])))[:NEAREST]
    return median(factor * seconds for factor, seconds in nearest)


def _rounded(seconds: float) -> int:
    """Seconds, rounded to multiples of five from ten on."""
    return round(seconds / 5) * 5 if seconds >= 10 else max(round(seconds), 2)
