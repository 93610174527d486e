"""The figures that the audits of versions 0.3 and 0.4 ask for, each measured through the product's own functions.

    .venv/bin/python benchmarks/audit_figures.py 0.4 --write                    # all subjects, docs/audit_04.md anew
    .venv/bin/python benchmarks/audit_figures.py 0.4 --only placebo --write     # one subject, the others stay
    .venv/bin/python benchmarks/audit_figures.py 0.4 --only placebo --size .1   # quick look, prints only

Seeds are fixed, so the same commit gives the same page. Each subject carries the commit that it was measured at. The
exit code is 1 when a bound is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.audit.frame.figure import Figure  # noqa: E402
from benchmarks.audit.frame.subjects import NAMES, NAMES_04  # noqa: E402


@dataclass(frozen=True)
class Audit:
    """One audit.

    Attributes:
        package: where its subjects lie.
        names: the subjects, in the order of the page.
        page: written by `--write`; `kept`, the figures beside it.
    """

    package: str
    names: tuple[str, ...]
    page: Path
    kept: Path


DOCS = ROOT / "docs"
AUDITS = {
    "0.3": Audit("benchmarks.audit", NAMES, DOCS / "audit.md", DOCS / "audit" / "figures.json"),
    "0.4": Audit("benchmarks.audit_04", NAMES_04, DOCS / "audit_04.md", DOCS / "audit" / "figures_04.json"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", choices=AUDITS, help="of the product that was audited")
    parser.add_argument("--only", nargs="+", help="subjects; all of them without it")
    parser.add_argument("--size", type=float, default=1.0, help="share of the runs")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="the page; subjects not run keep what is there")
    options = parser.parse_args()
    audit = AUDITS[options.version]
    subjects = options.only or list(audit.names)
    if unknown := set(subjects) - set(audit.names):
        parser.error(f"no such subject: {', '.join(sorted(unknown))}; there are {', '.join(audit.names)}")
    if options.write and options.size != 1:
        parser.error("--write shows whole figures: leave --size out")
    os.environ["OMP_NUM_THREADS"] = "1"
    measured: dict[str, Any] = {}
    with ProcessPoolExecutor(options.processes) as pool:
        places = [f"{audit.package}.{name}" for name in subjects]
        for name, record in zip(subjects, pool.map(measure, places, [options.size] * len(places)), strict=True):
            measured[name] = record
            print(section(record), flush=True)
    if options.write:
        known = json.loads(audit.kept.read_text(encoding="utf-8")) if audit.kept.exists() else {}
        everything = known | measured
        kept = {name: everything[name] for name in audit.names if name in everything}
        audit.kept.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        audit.page.write_text(page(options.version, kept), encoding="utf-8")
    missed = [row["what"] for record in measured.values() for row in record["figures"] if row["met"] is False]
    for what in missed:
        print(f"missed: {what}", file=sys.stderr)
    sys.exit(bool(missed))


def measure(place: str, size: float) -> dict[str, Any]:
    """One subject with its figures, its commit and its minutes."""
    module = import_module(place)
    begun = time.perf_counter()
    figures: list[Figure] = module.figures(size)
    return {
        "title": module.TITLE,
        "text": " ".join(module.TEXT.split()),
        "commit": commit(),
        "minutes": round((time.perf_counter() - begun) / 60, 1),
        "figures": [asdict(row) for row in figures],
    }


def section(record: dict[str, Any]) -> str:
    lines = [f"## {record['title']}", "", record["text"], ""]
    lines += ["| figure | required | seen | |", "| --- | --- | --- | --- |"]
    word = {True: "met", False: "**missed**", None: ""}
    for row in record["figures"]:
        cells = (str(row[name]).replace("|", "\\|") for name in ("what", "required", "seen"))
        lines.append(f"| {' | '.join(cells)} | {word[row['met']]} |")
    lines += ["", f"Measured at commit {record['commit']}, {record['minutes']} minutes.", ""]
    return "\n".join(lines)


def page(version: str, kept: dict[str, Any]) -> str:
    rows = [row for record in kept.values() for row in record["figures"]]
    missed = sum(row["met"] is False for row in rows)
    head = (
        f"# Figures of the audit of {version}\n\n"
        f"Reviewers attacked the numbers of version {version}. Each attack is repeated here against today's code, "
        f"through the product's own functions: `python benchmarks/audit_figures.py {version} --write`. "
        f"{len(rows)} figures, {missed} missed.\n\n"
    )
    return head + "\n".join(section(record) for record in kept.values())


def commit() -> str:
    """Short name of the commit, with a plus where the tree differs from it."""
    run = subprocess.run
    name = run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    changed = run(["git", "status", "--porcelain", "-uno"], cwd=ROOT, capture_output=True, text=True, check=True)
    outside = [line for line in changed.stdout.splitlines() if not line[3:].startswith("docs/")]
    return name.stdout.strip() + ("+" if outside else "")


if __name__ == "__main__":
    main()
