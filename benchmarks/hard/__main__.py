"""`python -m benchmarks.hard [--size full] [--seed 1] [--database sqlite] [--write]`."""

import argparse
import json
import sys
import time
from dataclasses import asdict

from benchmarks.hard import reliability, under_fire
from benchmarks.harness import machine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=[*under_fire.SIZES], default="full")
    parser.add_argument("--seed", type=int, default=20261127)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    given = parser.parse_args()
    began = time.monotonic()
    outcome = under_fire.go(
        given.size,
        given.seed,
        given.database,
        lambda text: print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True),
    )
    print(json.dumps(asdict(outcome), indent=1))
    if given.write:
        reliability.write(outcome, machine.commit(), f"{machine.processor()}, {machine.memory_gb():.0f} GB")
    for name, number in outcome.broken.items():
        print(f"hard: BROKEN: {name}: {number}")
    print(f"hard: {'kept every promise' if not outcome.broken else 'see above'}")
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
