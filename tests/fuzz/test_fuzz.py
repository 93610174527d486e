"""Bytes that nobody meant: what was found before, good inputs, and for seconds whatever libFuzzer makes of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.closed_doors import TrespassError, closed_doors
from tests.fuzz.targets import BY_NAME, CASES, TARGETS, Target

KEPT = sorted(path for path in CASES.glob("*/*"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name[:20]}")
def test_case__found_before__is_read_or_refused(path: Path) -> None:
    BY_NAME[path.parent.name].read(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_seeds__of_each_parser__are_read(target: Target) -> None:
    for seed in target.seeds:
        target.read(seed)


@pytest.mark.slow
def test_parsers__fuzzed_for_two_seconds_each__read_or_refuse() -> None:
    """With one seed, so that a commit is judged alike each time; `make fuzz` draws others and takes longer.

    docs/fuzzing.md says how to go on from a finding.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--seconds", "2", "--seed", "5"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr[-3_000:]
    assert all(f"| {target.name} |" in done.stdout for target in TARGETS)


def test_closed_doors__file_of_the_machine_or_a_call__is_a_trespass(tmp_path: Path) -> None:
    with closed_doors():
        (tmp_path / "own").write_text("")
        with pytest.raises(TrespassError):
            Path("/etc/passwd").read_bytes()
        with pytest.raises(TrespassError):
            subprocess.run(["true"], check=False)
