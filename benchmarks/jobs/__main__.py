"""Measure: `python -m benchmarks.jobs --size quick --write`, `make bench-quick`, `make bench`.

    python -m benchmarks.jobs --list
    python -m benchmarks.jobs --size full --only known_unit new_unit --write     # these anew, the others stay
    python -m benchmarks.jobs --size full --only study --set users=200000 rounds=3

`--write` keeps the figures in docs/performance/figures.json and writes docs/performance.md from it. The exit code is 1
when an aim is missed at full size.
"""

import argparse
import json
import sys

from benchmarks.harness import runner
from benchmarks.harness.page import PAGE, page
from benchmarks.harness.rounds import judged
from benchmarks.jobs.all_jobs import JOBS, further_sections


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("tiny", "quick", "full"), default="quick")
    parser.add_argument("--only", nargs="+", choices=[job.name for job in JOBS], metavar="NAME")
    parser.add_argument("--set", nargs="+", default=[], metavar="OPTION=VALUE", help="in place of the size's own")
    parser.add_argument("--write", action="store_true", help="docs/performance.md; jobs not run keep what is there")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on the last line")
    parser.add_argument("--list", action="store_true", help="the jobs and their sizes")
    options = parser.parse_args()
    if options.list:
        for job in JOBS:
            print(f"{job.name:20} {', '.join(job.sizes):20} {job.title}, beside {job.alternative or 'nothing'}")
        return
    if options.write and (options.set or options.size == "tiny"):
        parser.error("--write shows figures of the sizes as they are: leave --set and tiny out")
    changes = {name: json.loads(value) for name, _, value in (one.partition("=") for one in options.set)}
    chosen = [job for job in JOBS if options.only is None or job.name in options.only]
    done = runner.run_jobs(chosen, options.size, changes, runner.RECORD if options.write else None)
    if options.write:
        PAGE.write_text(page(JOBS, runner.read_record(), further_sections()), encoding="utf-8")
    missed = []
    for job in chosen:
        for aim in job.aims if job.name in done else ():
            value, met = judged(aim, done[job.name]["sides"])
            print(f"{job.name:20} {aim.words():32} {'not measured' if value is None else f'{value:.2f}'}")
            missed += [aim] if met is False else []
    if options.json:
        print(json.dumps(done))
    sys.exit(bool(missed) and options.size == "full")


if __name__ == "__main__":
    main()
