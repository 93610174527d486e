"""What each test cost, kept in `var/durations` (`-p tests.durations` in pyproject.toml): wall and processor seconds.

Processor seconds hold those of processes that a test started and waited for. Where tests share two cores with other
stages, they say what to mend; wall seconds say who waits. `python -m tests.durations` shows the dearest of all files.
"""

import json
import os
import resource
import sys
from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "var" / "durations"
NAME = os.environ.get("DURATIONS", "")
SHOWN = 30


@dataclass(frozen=True)
class Cost:
    """One phase (setup, call, teardown) of one test."""

    test: str
    phase: str
    seconds: float
    processor: float


_costs: list[Cost] = []
_begun: dict[str, float] = {}


def processor_seconds() -> float:
    """Of this process and of those that it waited for."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A phase has ended; its report carries the processor seconds to the process that writes them."""
    report = yield
    now = processor_seconds()
    report.__dict__["processor"] = now - _begun.get("at", now)
    _begun["at"] = now
    return report


def pytest_runtest_logstart() -> None:
    _begun["at"] = processor_seconds()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Of this process's tests, or of an xdist worker's."""
    _costs.append(Cost(report.nodeid, str(report.when), report.duration, getattr(report, "processor", 0.0)))


def pytest_unconfigure() -> None:
    """Write `var/durations/NAME.jsonl`, where the environment names one and this is no worker of another process."""
    if not NAME or not _costs or "PYTEST_XDIST_WORKER" in os.environ:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps([cost.test, cost.phase, round(cost.seconds, 3), round(cost.processor, 3)]) for cost in _costs]
    Path(FOLDER, f"{NAME}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def dearest(number: int = SHOWN) -> list[str]:
    """Lines of the tests that cost most processor time in all kept runs, and a total of each run."""
    rows = [
        (path.stem, Cost(*json.loads(line)))
        for path in sorted(FOLDER.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for run, cost in rows:
        totals[run][0] += cost.seconds
        totals[run][1] += cost.processor
    rows.sort(key=lambda row: -max(row[1].seconds, row[1].processor))
    return [
        f"{'seconds':>8} {'processor':>9}",
        *(f"{cost.seconds:8.1f} {cost.processor:9.1f}  {run}: {cost.phase} {cost.test}" for run, cost in rows[:number]),
        *(f"{wall:8.0f} {processor:9.0f}  {run}: all" for run, (wall, processor) in totals.items()),
    ]


if __name__ == "__main__":
    sys.stdout.write("\n".join(dearest()) + "\n")
