"""Jobs run: both sides of one at its smallest, and each has what the page needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.jobs.all_jobs import JOBS

ROOT = Path(__file__).resolve().parents[3]


def test_jobs__each__has_a_name_of_its_own_and_a_full_size() -> None:
    names = [job.name for job in JOBS]

    assert len(set(names)) == len(names)
    assert [job.name for job in JOBS if not {"tiny", "full"} <= set(job.sizes)] == []
    assert [job.name for job in JOBS if len({frozenset(one) - {"rounds"} for one in job.sizes.values()}) > 1] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["import", "grid"])
def test_job__at_its_smallest__runs_both_sides(name: str) -> None:
    command = [sys.executable, "-m", "benchmarks.jobs", "--size", "tiny", "--only", name, "--json"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    sides = json.loads(done.stdout.splitlines()[-1])[name]["sides"]
    assert [len(side["rounds"]) for side in sides] == [2, 2]
    assert all(figures["s"] > 0 for side in sides for figures in side["rounds"])
