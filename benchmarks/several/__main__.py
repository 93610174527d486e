"""Proofs about several experiments together, through the product's own questions and tests.

    .venv/bin/python -m benchmarks.several --write docs/several_experiments.md
    .venv/bin/python -m benchmarks.several --only holdout --runs 20

Each run is kept as a line of JSON in `--keep`, a file for each commit, and isn't made again, so that a proof may be
stopped and gone on with.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.frame import ROOT, commit, in_django, options_of, workers

HOLDOUT, NULL, PLANTED = "holdout", "interaction_null", "interaction_planted"
UNITS = {HOLDOUT: 20_000, NULL: 24_000, PLANTED: 24_000}
RUNS = {HOLDOUT: 200, NULL: 2_000, PLANTED: 20}
ADDED = 0.06  # points that both treatments add together in the planted runs, as a share


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--only", choices=list(RUNS), nargs="+", default=list(RUNS))
    parser.add_argument("--runs", type=int, help="runs of each proof; the usual numbers without")
    parser.add_argument("--keep", type=Path, default=ROOT / "var" / f"several-{commit()}.jsonl")
    options = parser.parse_args()
    known = _kept(options.keep)
    jobs = [
        (proof, seed)
        for proof in options.only
        for seed in range(1, (options.runs or RUNS[proof]) + 1)
        if (proof, seed) not in known
    ]
    with workers(options.processes) as pool, options.keep.open("a", encoding="utf-8") as file:
        for record in pool.map(run, jobs):
            known[record["proof"], record["seed"]] = record
            file.write(json.dumps(record) + "\n")
            file.flush()
    in_django()
    from benchmarks.several.figures import page

    text = page([one for one in known.values() if one["proof"] in options.only])
    print(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")


def run(job: tuple[str, int]) -> dict[str, Any]:
    in_django()
    from benchmarks.several.runs import holdout_run, interaction_run

    proof, seed = job
    if proof == HOLDOUT:
        return {"proof": proof, "seed": seed, **asdict(holdout_run(seed, UNITS[proof]))}
    found = interaction_run(seed, UNITS[proof], added=ADDED if proof == PLANTED else 0.0)
    change = found.contrasts[0].change
    limits = {name: getattr(change, name) for name in ("estimate", "low", "high")}
    return {"proof": proof, "seed": seed, "p_value": found.p_value, **limits}


def _kept(path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(row["proof"], row["seed"]): row for row in rows}


if __name__ == "__main__":
    main()
