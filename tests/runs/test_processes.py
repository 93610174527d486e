"""Functions in other processes: their answers and errors, and that no process stays behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from runs import processes
from runs.parallel import each, use_workers, workers
from runs.processes import ChildEndedError, close, elsewhere, one_compiles, take_spent
from runs.progress import Progress


@pytest.fixture(autouse=True)
def _two_workers() -> Iterator[None]:
    before = workers()
    use_workers(2)
    yield
    close()
    use_workers(before)


def test_elsewhere__several_workers__another_process_answers_and_is_used_again() -> None:
    first, second = elsewhere(os.getpid), elsewhere(os.getpid)

    assert first == second != os.getpid()
    assert elsewhere(np.add, np.arange(3), 1).tolist() == [1, 2, 3]
    peak, seconds = take_spent()
    assert peak > 5
    assert seconds < 10
    assert take_spent() == (0, 0)


def test_elsewhere__one_worker__stays_in_this_process() -> None:
    use_workers(1)

    assert elsewhere(os.getpid) == os.getpid()


def test_elsewhere__two_threads__two_processes() -> None:
    found = each(range(4), lambda _part, _progress: (elsewhere(time.sleep, 0.2), elsewhere(os.getpid))[1])

    assert len(set(found)) == 2


def test_elsewhere__an_error_there__is_raised_here_and_the_process_goes_on() -> None:
    with pytest.raises(ZeroDivisionError):
        elsewhere(divmod, 1, 0)
    assert elsewhere(divmod, 7, 2) == (3, 1)


def test_elsewhere__a_process_that_is_killed__is_said_and_replaced() -> None:
    with pytest.raises(ChildEndedError):
        elsewhere(os._exit, 3)
    assert elsewhere(divmod, 7, 2) == (3, 1)


def test_elsewhere__what_a_library_prints__does_not_come_between_the_answers() -> None:
    assert elsewhere(print, "printed there") is None
    assert elsewhere(divmod, 7, 2) == (3, 1)


def test_elsewhere__another_part_fails__nobody_waits_for_the_answer() -> None:
    def job(part: int, progress: Progress) -> None:
        if part:
            elsewhere(time.sleep, 900)
        time.sleep(1)
        raise LookupError("the first")

    begun = time.monotonic()
    with pytest.raises(LookupError, match="the first"):
        each(range(2), job)
    assert time.monotonic() - begun < 300


def test_close__ends_the_processes() -> None:
    there = elsewhere(os.getpid)

    close()

    assert not Path(f"/proc/{there}").exists()
    assert processes._alive == set()


# A shell that starts tests in the background has them ignore Ctrl-C, and a program inherits that.
SCRIPT = """
import os, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from runs.parallel import use_workers
from runs.processes import elsewhere
use_workers(2)
print(elsewhere(os.getpid), flush=True)
elsewhere(time.sleep, 300)
"""


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_elsewhere__the_parent_is_interrupted_or_killed__no_process_stays(by: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.3)

    parent.send_signal(by)
    parent.communicate(timeout=100)

    if by is signal.SIGINT:  # at once; a killed parent can't, and its child ends after the call that it computes
        assert not Path(f"/proc/{child}").exists()
    else:
        os.kill(child, 0)
        os.kill(child, signal.SIGKILL)


def test_one_compiles__a_second_one__waits_for_the_end_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "compiled"))
    monkeypatch.setattr(processes, "GENTLE", 20)  # however gently these tests run
    inside = threading.Event()

    def second() -> None:
        with one_compiles("umap"):
            inside.set()

    other = threading.Thread(target=second)
    with one_compiles("umap"):
        other.start()
        assert not inside.wait(0.3)
    other.join(10)

    assert inside.is_set()


def test_one_compiles__no_folder_that_may_be_written__holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "compiled"))

    with one_compiles("umap"), one_compiles("umap"):
        pass


def test_one_compiles__a_gentle_process__holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(processes, "GENTLE", -20)

    with one_compiles("umap"), one_compiles("umap"):
        pass

    assert not list(tmp_path.iterdir())
