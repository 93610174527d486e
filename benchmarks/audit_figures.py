"""The figures that the audit of version 0.4 asks for, each measured through the product's own functions.

    .venv/bin/python benchmarks/audit_figures.py --write                    # all subjects, docs/audit_04.md anew
    .venv/bin/python benchmarks/audit_figures.py --only placebo --write     # one subject, the others stay
    .venv/bin/python benchmarks/audit_figures.py --only placebo --size .1   # quick look, prints only

Seeds are fixed, so the same commit gives the same page. Each subject carries the commit that it was measured at. The
exit code is 1 when a bound is missed.
"""

import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.audit_04.figure import Figure
from benchmarks.frame import ROOT, commit, filled, keep, kept, line, options_of, workers

# Subjects in the order of the page. A new one is a module in `audit_04`, a name here, and its scenario, formula and
# source in `pages/audit_04.md`; `figures(1.0)` is what the page shows, tests run the same code with less.
SUBJECTS = (
    *("placebo_kept", "quantile_ties", "step_neighbours", "guilds", "pool_moments", "first_arm", "several_leading"),
    *("shipped_sum", "price", "rows_by_arm", "population_ratio", "policy_limits", "badge", "visitor"),
)
PAGE, KEPT = ROOT / "docs" / "audit_04.md", ROOT / "docs" / "audit" / "figures_04.json"


def main() -> None:
    parser = options_of(__doc__, page=False)
    parser.add_argument("--only", nargs="+", help="subjects; all of them without it")
    parser.add_argument("--size", type=float, default=1.0, help="share of the runs")
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
            print("\n".join([f"## {name}", "", *rows(record), ""]), flush=True)
    if options.write:
        everything = kept(KEPT) | measured
        PAGE.write_text(page(keep(KEPT, {name: everything[name] for name in SUBJECTS if name in everything})), "utf-8")
    missed = [row["what"] for record in measured.values() for row in record["figures"] if row["met"] is False]
    for what in missed:
        print(f"missed: {what}", file=sys.stderr)
    sys.exit(bool(missed))


def measure(place: str, size: float) -> dict[str, Any]:
    begun = time.perf_counter()
    figures: list[Figure] = import_module(place).figures(size)
    minutes = round((time.perf_counter() - begun) / 60, 1)
    return {"commit": commit(), "minutes": minutes, "figures": [asdict(row) for row in figures]}


def rows(record: dict[str, Any]) -> list[str]:
    """The figures of a subject, with its commit and its minutes."""
    word, lines = {True: "met", False: "**missed**", None: ""}, []
    for row in record["figures"]:
        cells = (str(row[name]).replace("|", "\\|") for name in ("what", "required", "seen"))
        lines.append(line(*cells, word[row["met"]]))
    return [*lines, "", f"Measured at commit {record['commit']}, {record['minutes']} minutes."]


def page(records: dict[str, Any]) -> str:
    met = [row["met"] for record in records.values() for row in record["figures"]]
    shown = {name: rows(record) for name, record in records.items()}
    return filled("audit_04", dict.fromkeys(SUBJECTS, ""), figures=len(met), missed=met.count(False), **shown) + "\n"


if __name__ == "__main__":
    main()
