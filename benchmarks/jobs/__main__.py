"""Measure: `python -m benchmarks.jobs --size quick --write`, `make bench-quick`, `make bench`.

    python -m benchmarks.jobs --list
    python -m benchmarks.jobs --size full --only known_unit new_unit --write     # these anew, the others stay
    python -m benchmarks.jobs --size full --only study --set users=200000 rounds=3

`--write` keeps the figures in docs/performance/figures.json and writes docs/performance.md from it. Jobs that share
nothing run in processes of their own, so that none has the memory of another. The exit code is 1 when an aim is missed
at full size, or when a job failed; the others run nevertheless.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.frame import ROOT, kept, options_of
from benchmarks.harness.job import Job
from benchmarks.harness.page import PAGE, knee_section, page
from benchmarks.harness.rounds import RECORD, judged, run_jobs
from benchmarks.jobs.all_jobs import JOBS


def main() -> None:
    parser = options_of(__doc__, page=False, processes=False)
    parser.add_argument("--size", choices=("tiny", "quick", "full"), default="quick")
    parser.add_argument("--only", nargs="+", choices=[job.name for job in JOBS], metavar="NAME")
    parser.add_argument("--set", nargs="+", default=[], metavar="OPTION=VALUE", help="in place of the size's own")
    parser.add_argument("--write", action="store_true", help="docs/performance.md; jobs not run keep what is there")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on the last line")
    parser.add_argument("--list", action="store_true", help="the jobs and their sizes")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_told: sys.exit(143))  # servers are stopped and databases dropped on the way
    if options.list:
        for job in JOBS:
            print(f"{job.name:20} {', '.join(job.sizes):20} {job.title}, beside {job.alternative or 'nothing'}")
        return
    if options.write and (options.set or options.size == "tiny"):
        parser.error("--write shows figures of the sizes as they are: leave --set and tiny out")
    changes = {name: json.loads(value) for name, _, value in (one.partition("=") for one in options.set)}
    chosen = [job for job in JOBS if options.only is None or job.name in options.only]
    parts = apart([job for job in chosen if options.size in job.sizes])
    if len(parts) > 1:
        sys.exit(run_apart(parts, sys.argv[1:]))
    done = run_jobs(chosen, options.size, changes, RECORD if options.write else None)
    if options.write:
        PAGE.write_text(page(JOBS, kept(RECORD), knee_section()), encoding="utf-8")
    missed = []
    for job in chosen:
        for aim in job.aims if job.name in done else ():
            value, met = judged(aim, done[job.name]["sides"])
            print(f"{job.name:20} {aim.words():32} {'not measured' if value is None else f'{value:.2f}'}")
            missed += [aim] if met is False else []
    if options.json:
        print(json.dumps(done))
    sys.exit(bool(missed) and options.size == "full")


def apart(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs by the process that they share, in their order."""
    found: dict[str, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.process or job.name, []).append(job)
    return list(found.values())


def run_apart(parts: Sequence[Sequence[Job]], arguments: Sequence[str]) -> int:
    """Each part in a process of its own; 1 when one of them ended badly."""
    failed = []
    for part in parts:
        only = ["--only", *(job.name for job in part)]  # the last one counts
        done = subprocess.run([sys.executable, "-m", "benchmarks.jobs", *arguments, *only], cwd=ROOT, check=False)
        failed += [job.name for job in part] if done.returncode else []
    if failed:
        print(f"failed, or an aim missed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    main()
