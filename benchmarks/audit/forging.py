"""Forged exposures: what somebody with a public key can do to a verdict."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.audit_04.figure import Figure

TITLE = "Forged exposures"
TEXT = """A site in a temporary folder with 700 units, exposed by our door. Then `POST /v1/batch` with client keys, a
flush and an analysis after each attack. In 0.3 sixty such events made the experiment INVALID, and 300 invented users
broke its sample ratio. "Unchanged" compares verdict, sample ratio, units by arm, units seen in several arms and the
first outcome's difference, with interval and p, to the last digit. Source: docs/methods/integrity.md;
docs/security.md."""

ROOT = Path(__file__).resolve().parent.parent.parent
UNITS = 700


def figures(size: float = 1.0) -> list[Figure]:
    """Each attack after the others. `size` changes nothing: the attacks are the audit's."""
    found = site()
    where, rows = f"verdict {found['verdict']}, {found['exposed']:,} units", []
    for row in found["attacks"]:
        same = "unchanged" if row["same"] else "changed"
        seen = f"{same} ({where}); {row['shown']} of {row['sent']} shown as not admitted"
        met = row["same"] and row["shown"] == row["sent"]
        rows.append(Figure(row["attack"], "numbers unchanged, the attempt shown", seen, met))
    return rows


def site() -> Any:
    """In a process of its own, since Django's settings are those of the temporary folder."""
    with tempfile.TemporaryDirectory(prefix="insight-forging-") as folder:
        command = [sys.executable, "-m", "tests.experiments.analyse.gather.forging_site", folder, str(UNITS)]
        done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    return json.loads(done.stdout.strip().splitlines()[-1])
