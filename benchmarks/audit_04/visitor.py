"""Invented ids: what one visitor with the public key of a page can do to a verdict."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.audit_04.figure import Figure
from benchmarks.audit_04.visitor_site import SITES

ROOT = Path(__file__).resolve().parents[2]
TITLE = "Invented ids"
TEXT = """Two sites with 20,000 units: our door exposes them for a server key, or browsers report them with client keys,
40 from each address. Then one address sends invented ids through the doors, a flush and an analysis after each attack.
In 0.4 eight calls with 4,000 ids made the experiment INVALID (p = 5e-54). "Unchanged" compares verdict, sample ratio,
units and mature units by arm, and the first outcome's difference to the last digit. An address that takes its time may
bring in 200 ids an hour. Source: docs/methods/integrity.md; docs/security.md."""

UNITS, FEW, MANY = 20_000, 4_000, 100_000


def figures(size: float = 1.0) -> list[Figure]:
    """Each attack after the others, on each site; `size` scales units and ids."""
    units, few, many = (max(int(size * number), 1_000) for number in (UNITS, FEW, MANY))
    rows = []
    for name in SITES:
        for row in site(name, units, few, many):
            same, beside = "unchanged" if row["same"] else "changed", row["beside"]
            said = f"{same} (verdict {row['verdict']}, {row['exposed']:,} units); so far {row['aside']:,} exposures"
            said += f" set aside, {beside:,} units beside" if beside else " set aside"
            rows.append(Figure(f"{row['ids']:,} {row['attack']}, {name}", "numbers unchanged", said, row["same"]))
    return rows


def site(name: str, units: int, few: int, many: int) -> Any:
    """In a process of its own, since Django's settings are those of the temporary folder."""
    with tempfile.TemporaryDirectory(prefix="insight-visitor-") as folder:
        command = [
            sys.executable,
            "-m",
            "benchmarks.audit_04.visitor_site",
            folder,
            name,
            *map(str, (units, few, many)),
        ]
        done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    return json.loads(done.stdout.strip().splitlines()[-1])
