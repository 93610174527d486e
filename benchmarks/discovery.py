"""What discovery finds in the simulated worlds. How fast it is: `jobs/questions.py`.

    .venv/bin/python benchmarks/discovery.py worlds
    .venv/bin/python benchmarks/discovery.py noise

`worlds`: step evidence over many seeds. `noise`: family-wise false alarms of both nulls, and of outcomes that are
shuffled within strata, where 5 % must come out.
"""

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.frame import options_of


def main() -> None:
    parser = options_of(__doc__, page=False, processes=False)
    parser.add_argument("what", choices=["worlds", "noise"])
    parser.add_argument("--seeds", type=int)
    options = parser.parse_args()
    if options.what == "worlds":
        worlds(options.seeds)
    else:
        noise(options.seeds or 1_000)


def worlds(seeds: int | None) -> None:
    """Where the step is found, and how often a jump is claimed where there is none."""
    import numpy as np

    from aha.study.choice import choose
    from aha.study.grid import levels, thresholds
    from aha.study.hold_out import split
    from aha.study.step import StepVerdict, step_evidence
    from events.simulation import WORLDS, simulate
    from events.simulation.worlds import NEGATIVE_CONTROLS
    from tests.aha.make import table_of_world

    for world, usual in (("step", 20), ("no_effect", 40), ("smooth", 20), ("forced", 5)):
        found: Counter[str] = Counter()
        for seed in range(seeds or usual):
            table = table_of_world(simulate(WORLDS[world], 20_000, seed))
            table = table.only([name for name in table.behaviours if name not in NEGATIVE_CONTROLS])
            times = thresholds(table, 10)
            parts = split(table)
            train = table.take(parts.train)
            pick = choose(train, levels(train, times), rng=np.random.default_rng(2))["friend_add"].recommended
            found["friend_add 3 in 7 recommended by J"] += (pick.days, pick.times) == (7, 3)
            steps = step_evidence(table.take(parts.for_steps), times, rng=np.random.default_rng(3))
            jumps = [step for step in steps if step.verdict is StepVerdict.JUMP]
            found["a jump of any behaviour"] += bool(jumps)
            friend = steps[0]
            found[f"friend_add {friend.verdict}"] += 1
            found["friend_add jump at 3 in 7"] += (friend in jumps) and (friend.days, friend.times) == (7, 3)
        print(f"{world}, {seeds or usual} seeds: " + "; ".join(f"{k} {v}" for k, v in found.items()), flush=True)


def noise(seeds: int) -> None:
    """Share of seeds with any adjusted p <= .05 in the noise world, and with outcomes shuffled within strata."""
    from dataclasses import replace

    import numpy as np

    from aha.study.grid import levels, thresholds
    from aha.study.null import grid_null
    from events.simulation import WORLDS, simulate
    from tests.aha.make import table_of_world

    alarms: Counter[str] = Counter()
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        table = table_of_world(simulate(WORLDS["noise"], 2_000, seed), (1, 3, 7))
        grid = levels(table, thresholds(table, 10))
        for by_activity in (False, True):
            strata = table.strata(active_within=7 if by_activity else None)
            shuffled = table.retained.copy()
            for stratum in range(strata.max() + 1):
                mine = np.flatnonzero(strata == stratum)
                shuffled[mine] = rng.permutation(shuffled[mine])
            name = "equally active" if by_activity else "cohort"
            for kind, one in ((f"{name}", table), (f"{name}, shuffled", replace(table, retained=shuffled))):
                null = grid_null(one, grid, rng=rng, by_activity=by_activity, permutations=199)
                alarms[kind] += null.smallest_p <= 0.05
        if (seed + 1) % 100 == 0:
            print(f"{seed + 1} seeds: " + "; ".join(f"{k} {v / (seed + 1):.3f}" for k, v in alarms.items()), flush=True)


if __name__ == "__main__":
    main()
