"""A million rows: memory is asserted, time is measured by hand and told in the note."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

OPTIONS = ("--variant", "arm", "--control", "a", "--outcome", "stayed")


@pytest.mark.slow
def test_million_rows__under_one_gibibyte(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    n = 1_000_000
    path = tmp_path / "large.csv"
    arm = rng.integers(0, 2, n)
    table = pa.table(
        {
            "id": [f"user-{row:09d}" for row in range(n)],
            "arm": np.where(arm, "b", "a"),
            "stayed": (rng.random(n) < 0.3 + 0.01 * arm).astype(int),
            "spend": rng.exponential(5, n),
            "country": rng.choice(["KR", "US", "JP"], n),
        }
    )
    pa_csv.write_csv(table, path)
    command = [sys.executable, "manage.py", "analyze_file", str(path), *OPTIONS, "--outcome", "spend"]
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--unit", "id", "--segment", "country", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(done.stdout) * 1024 < 1 << 30
