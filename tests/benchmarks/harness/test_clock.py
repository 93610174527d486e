"""Seconds and memory of processes."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.harness.clock import memory_of, resident_of, timed, timed_command

HELD = "x = bytearray(80_000_000); x[::4096] = b'1' * len(x[::4096]); import time; time.sleep(2.4)"


@pytest.mark.slow
def test_timed_command__a_child_of_the_command__counts_too(tmp_path: Path) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HELD!r}], check=True)"

    found = timed_command([sys.executable, "-c", code], cwd=tmp_path, environment=os.environ, log=tmp_path / "log")

    assert found["s"] >= 2.4
    assert found["processor s"] > 0
    assert 80e6 / 2**30 < found["peak GiB"] < 0.3


def test_timed_command__that_fails__ends_with_its_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such thing')"]

    with pytest.raises(SystemExit, match="no such thing"):
        timed_command(command, cwd=tmp_path, environment=os.environ, log=tmp_path / "log")


def test_memory_of__a_process_that_is_gone__is_nothing() -> None:
    assert memory_of(2**22 + 1) == 0


def test_resident_of__this_process__is_at_least_what_it_holds_alone() -> None:
    assert resident_of(os.getpid()) > 10_000_000


def test_timed__a_function__wall_and_processor() -> None:
    assert set(timed(lambda: sum(range(1000)))) == {"s", "processor s"}
