"""The figures that the audit of version 0.4 asks for, each measured through the product's own functions.

    .venv/bin/python benchmarks/audit_figures.py --write                    # all subjects, docs/audit_04.md anew
    .venv/bin/python benchmarks/audit_figures.py --only placebo --write     # one subject, the others stay
    .venv/bin/python benchmarks/audit_figures.py --only placebo --size .1   # quick look, prints only

Seeds are fixed, so the same commit gives the same page. Each subject carries the commit that it was measured at. The
exit code is 1 when a bound is missed.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.audit_04.figure import Figure
from benchmarks.frame import ROOT, commit, line, workers

# Subjects in the order of the page. A new one is a module in `audit_04` and a line here. Each has `TITLE`, `TEXT`
# (scenario, formula, source) and `figures(size)`; `size` 1.0 is what the page shows, tests run the same code with less.
SUBJECTS: tuple[str, ...] = (
    "placebo_kept",
    "quantile_ties",
    "step_neighbours",
    "guilds",
    "pool_moments",
    "first_arm",
    "several_leading",
    "shipped_sum",
    "price",
    "rows_by_arm",
    "population_ratio",
    "policy_limits",
    "badge",
    "visitor",
)
PAGE, KEPT = ROOT / "docs" / "audit_04.md", ROOT / "docs" / "audit" / "figures_04.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="subjects; all of them without it")
    parser.add_argument("--size", type=float, default=1.0, help="share of the runs")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="the page; subjects not run keep what is there")
    options = parser.parse_args()
    subjects = options.only or list(SUBJECTS)
    if unknown := set(subjects) - set(SUBJECTS):
        parser.error(f"no such subject: {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
    if options.write and options.size != 1:
        parser.error("--write shows whole figures: leave --size out")
    measured: dict[str, Any] = {}
    with workers(options.processes) as pool:
        places = [f"benchmarks.audit_04.{name}" for name in subjects]
        for name, record in zip(subjects, pool.map(measure, places, [options.size] * len(places)), strict=True):
            measured[name] = record
            print(section(record), flush=True)
    if options.write:
        known = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
        everything = known | measured
        kept = {name: everything[name] for name in SUBJECTS if name in everything}
        KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        PAGE.write_text(page(kept), encoding="utf-8")
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
        lines.append(line(*cells, word[row["met"]]))
    lines += ["", f"Measured at commit {record['commit']}, {record['minutes']} minutes.", ""]
    return "\n".join(lines)


def page(kept: dict[str, Any]) -> str:
    rows = [row for record in kept.values() for row in record["figures"]]
    missed = sum(row["met"] is False for row in rows)
    head = (
        "# Figures of the audit of 0.4\n\n"
        "Reviewers attacked the numbers of version 0.4. Each attack is repeated here against today's code, "
        "through the product's own functions: `python benchmarks/audit_figures.py --write`. "
        f"{len(rows)} figures, {missed} missed.\n\n"
    )
    return head + "\n".join(section(record) for record in kept.values())


if __name__ == "__main__":
    main()
