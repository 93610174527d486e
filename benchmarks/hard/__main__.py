"""`python -m benchmarks.hard [--size full] [--seed 1] [--write]`."""

import json
import sys
import time
from dataclasses import asdict

from benchmarks.frame import commit, memory_gb, options_of, processor
from benchmarks.hard import under_fire


def main() -> int:
    parser = options_of(__doc__, page=False, processes=False, seed=20261127)
    parser.add_argument("--size", choices=[*under_fire.SIZES], default="full")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    given = parser.parse_args()
    began = time.monotonic()
    outcome = under_fire.go(
        given.size, given.seed, lambda text: print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)
    )
    print(json.dumps(asdict(outcome), indent=1))
    if given.write:
        under_fire.write(outcome, commit(), f"{processor()}, {memory_gb():.0f} GB")
    for name, number in outcome.broken.items():
        print(f"hard: BROKEN: {name}: {number}")
    print(f"hard: {'kept every promise' if not outcome.broken else 'see above'}")
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
