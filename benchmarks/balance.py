"""How long a moved threshold of an event's balance takes, against playing the rules anew.

    python -m benchmarks.balance [--users 100000] [--rounds 5]

Six past spans of 14 days, as `launches.balance.gather` reads them; the past is kept and read back as a web process
does it.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

SPANS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
    with TemporaryDirectory() as folder:
        os.environ["UPLOADS_DIR"] = folder
        import django

        django.setup()
        for name, seconds in figures(asked.users, asked.rounds).items():
            print(f"{name:<46} {statistics.median(seconds):6.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")


def figures(users: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, one per round."""
    from launches.balance import kept
    from launches.balance.simulation import balance

    past, rules = past_and_rules(users)
    kept.keep(1, past)
    found: dict[str, list[float]] = {"first threshold moved in a process": [], "threshold moved": [], "played anew": []}
    for place in range(rounds):
        moved = [
            replace(rules, steps=(replace(rules.steps[0], points=80.0 + 10 * place + more), *rules.steps[1:]))
            for more in (0, 5)
        ]
        kept._held = kept._Held()
        first, second = moved
        found["first threshold moved in a process"].append(_seconds(partial(kept.played, 1, first)))
        found["threshold moved"].append(_seconds(partial(kept.played, 1, second)))
        found["played anew"].append(_seconds(partial(balance, past, second)))
    return found


def past_and_rules(users: int) -> tuple[Any, Any]:
    """A past of so many users with a habit each, and the rules of the worlds."""
    from events.simulation.event_worlds import RULES
    from launches.balance.rules import read
    from launches.balance.simulation import Block, Group, Past

    rules = read(RULES | {"response": {"low": 0.0, "middle": 0.1, "high": 0.3}})
    rng, blocks = np.random.default_rng(1), []
    for span in range(1, SPANS + 1):
        engagement = rng.normal(0, 0.9, users)
        active = rng.random((users, rules.days)) < 1 / (1 + np.exp(1 - engagement))[:, None]
        user, day = np.nonzero(active)
        times = np.stack([rng.poisson(rate * np.exp(0.4 * engagement[user])) for rate in (2.0, 0.6)], axis=1)
        first = rules.first - timedelta(days=14 * span)
        blocks.append(Block(first, np.zeros(users, dtype=np.int64), user, day, times))
    return Past(rules.behaviours, (Group("", ""),), np.array([users]), tuple(blocks), 1, date(2025, 6, 3)), rules


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
