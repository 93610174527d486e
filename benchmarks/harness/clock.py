"""Seconds, processor seconds and memory: of a function in this process, or of a command with all its processes."""

import os
import resource
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.harness.job import Figures

LOOKS_A_SECOND = 4
START_SECONDS = 180  # other work on the machine may be heavy


def timed(job: Callable[[], object]) -> Figures:
    """Wall and processor seconds of a function, its threads included."""
    wall, processor = time.perf_counter(), time.process_time()
    job()
    return {"s": time.perf_counter() - wall, "processor s": time.process_time() - processor}


def timed_command(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path) -> Figures:
    """Wall and processor seconds of a command, and the largest sum of its processes' memory.

    Memory is the proportional set size, in which pages that processes share count once. It is looked at four times a
    second, so that a shorter peak can be missed.

    Raises:
        SystemExit: with the end of the log when the command fails.
    """
    before, begun = _spent_by_children(), time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=cwd, env=dict(environment), stdout=out, stderr=out)
    peak = Peak(process.pid)
    with peak:
        code = process.wait()
    if code:
        tail = log.read_text(encoding="utf-8", errors="replace")[-3000:]
        raise SystemExit(f"{' '.join(command)} ended with {code}:\n{tail}")
    wall, processor = time.perf_counter() - begun, _spent_by_children() - before
    return {"s": wall, "processor s": processor, "wall/processor": wall / processor, "peak GiB": peak.bytes / 2**30}


class Peak:
    """The most memory that a process and its descendants held at once, while the block runs."""

    def __init__(self, pid: int) -> None:
        self.pid, self.bytes, self._over = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(1 / LOOKS_A_SECOND):
            self.bytes = max(self.bytes, memory_of(self.pid))


def until_answered(url: str, process: subprocess.Popen[bytes], seconds: float = START_SECONDS) -> float:
    """When the server first answered, by the clock of `perf_counter`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=30):
            return time.perf_counter()
        time.sleep(0.01)
    raise SystemExit(f"{url} did not answer")


def memory_of(pid: int) -> int:
    """Bytes held by a process and its descendants; shared pages count once (proportional set size)."""
    total = 0
    for one in family(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:  # it is gone
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def resident_of(pid: int) -> int:
    """Bytes of one process's resident set, shared pages included, as operators' tools show it."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text(encoding="ascii").split():
                found += family(int(child))
    except OSError:  # it is gone
        pass
    return found


class BusyCore:
    def __enter__(self) -> "BusyCore":
        self._process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        return self

    def __exit__(self, *_problem: object) -> None:
        self._process.kill()
        self._process.wait()


def _spent_by_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
