"""Whom to nudge: does the product find the segment in which the effect lives, and refuse where there is none?

    .venv/bin/python benchmarks/causes/policy.py --seeds 20 --write docs/policy.md
    .venv/bin/python benchmarks/causes/policy.py --worlds one_segment --seeds 5 --null-runs 0

Each run simulates a world (docs/methods/worlds.md), or one with other effects by group, writes its experiment as a file
and gives it to `analyze_file`. The rule, the gains and the refusal are the product's. Beside it, many small experiments
without any effect are drawn as cells, to count how often a rule is claimed that isn't there.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.frame import analysed, filled, options_of, show, table, workers

SIZES = (20_000, 40_000)
NULL_UNITS = 4_000
FOLDS_SEED = 20_260_101
AIM = 18 / 20


@dataclass(frozen=True)
class Case:
    """A world, and what must be found in it.

    Attributes:
        base: name of the simulated world that it differs from.
        tau: strength of the behaviour's effect in each of the four groups; None for the base's own.
        cost: of nudging one user, in points of retention over 100.
        finds: the rules that count as found; empty where every rule must be refused.
        says: in words.
    """

    base: str
    tau: tuple[float, float, float, float] | None
    cost: float
    finds: tuple[str, ...]
    says: str


# The gain of `opposite_segments` in one group, and its harm in the others: battler is the second of four groups.
GAIN, HARM = 1.2, 1.2 * -0.8
CASES = {
    "one_segment": Case(
        "opposite_segments", (HARM, GAIN, HARM, HARM), 0.0, ("segment is battler",),
        "a gain for battlers, harm elsewhere",
    ),
    "one_segment_solo": Case(
        "opposite_segments", (GAIN, HARM, HARM, HARM), 0.0, ("segment is solo crafter",),
        "a gain for solo crafters, harm elsewhere",
    ),
    "one_segment_trader": Case(
        "opposite_segments", (HARM, HARM, GAIN, HARM), 0.0, ("segment is trader",), "a gain for traders, harm elsewhere"
    ),
    "one_segment_social": Case(
        "opposite_segments", (HARM, HARM, HARM, GAIN), 0.0, ("segment is social",),
        "a gain for social players, harm elsewhere",
    ),
    "one_segment_cost": Case(
        "opposite_segments", (0.0, 1.2 * 1.1, 0.0, 0.0), 0.01, ("segment is battler",),
        "a gain for battlers, nothing elsewhere; a nudge costs 1 point",
    ),
    "opposite_segments": Case(
        "opposite_segments", None, 0.0, ("segment is not trader", "segment is not social", "segment is battler",
        "segment is solo crafter or segment is battler", "segment is not trader and segment is not social"),
        "gains in two groups, harm in two: any rule that leaves out harm or takes only gain",
    ),
    "no_effect": Case("no_effect", None, 0.0, (), "no effect at all"),
    "same_effect": Case("step", (1.2, 1.2, 1.2, 1.2), 0.0, (), "the same gain in every group"),
    "step": Case("step", None, 0.0, (), "gains of different size in every group: nobody is better left out"),
}  # fmt: skip


def main() -> None:
    parser = options_of(__doc__, seeds=20, first_seed=1, null_runs=2_000)
    parser.add_argument("--worlds", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--units", type=int, nargs="+", default=list(SIZES))
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    jobs = [(name, units, seed) for units in options.units for name in options.worlds for seed in seeds]
    begun, records = time.perf_counter(), []
    with workers(options.processes) as pool:
        for record in pool.map(run, jobs):
            records.append(record)
            print(f"{record['world']:18} {record['units']:6} seed {record['seed']:<3} {record['rule']}", flush=True)
        null = list(pool.map(null_run, range(1, options.null_runs + 1), chunksize=50))
    text = page(records, null, seeds, time.perf_counter() - begun)
    show(text, options.write)


# ── One run ───────────────────────────────────────────────────────────────────
def run(job: tuple[str, int, int]) -> dict[str, Any]:
    from benchmarks.verdicts import design_of
    from events.simulation import WORLDS, draw_arms, simulate, truth
    from experiments.report.targeting import rule_words
    from stats.results import computable
    from tests.simulated import experiment_table

    name, units, seed = job
    case = CASES[name]
    world = WORLDS[case.base] if case.tau is None else replace(WORLDS[case.base], name=name, tau=case.tau)
    simulation = simulate(world, units, seed, draw_arms(world, units, seed))
    design = design_of((), segment="segment", margin=None, nudge_cost=case.cost)
    found = analysed(experiment_table(simulation), design).outcomes[0].comparisons[0].policy
    if found is None or not computable(found):
        raise RuntimeError(f"{name}, seed {seed}: {found}")
    effects = {group: facts["itt"] for group, facts in truth(simulation)["by_group"].items()}
    return {
        "world": name,
        "units": units,
        "seed": seed,
        "rule": rule_words(found.rule) if found.beats and found.rule is not None else "",
        "over_all": found.over_all.estimate,
        "over_none": found.over_none.estimate,
        "itt": effects,
        "share": {group: facts["units"] / units for group, facts in truth(simulation)["by_group"].items()},
        "all": effect_on_all(simulation, effects) - case.cost,
        "agreement": found.agreement,
    }


def effect_on_all(simulation: Any, effects: dict[str, float]) -> float:
    """Effect of nudging everybody, from the groups' true effects and sizes."""
    sizes = np.bincount(simulation.people.group, minlength=len(effects))
    return float(sizes @ np.array(list(effects.values())) / sizes.sum())


def null_run(seed: int) -> bool:
    """Four traits, no effect for anybody: is a rule claimed?"""
    from stats.policy import whom_to_nudge
    from stats.results import computable
    from stats.trait_cells import TraitColumns, trait_cells

    rng = np.random.default_rng(seed)
    shares = ((0.35, 0.30, 0.20, 0.15), (0.6, 0.4), (0.5, 0.3, 0.2), (0.7, 0.3))
    codes = np.column_stack([rng.choice(len(share), size=NULL_UNITS, p=share) for share in shares])
    arm = rng.integers(0, 2, NULL_UNITS)
    kept = (rng.random(NULL_UNITS) < 0.35 + 0.05 * (codes[:, 0] == 1) + 0.1 * codes[:, 1]).astype(float)
    levels = tuple(tuple(f"level {place}" for place in range(len(share))) for share in shares)
    columns = TraitColumns(("segment", "platform", "channel", "country"), levels, codes.astype(np.int64))
    none = np.zeros((NULL_UNITS, 1, 1))
    cells = trait_cells(columns, arm, np.ones(NULL_UNITS), kept[:, None], none, proportion=True)
    found = whom_to_nudge(cells, seed=FOLDS_SEED)  # never the seed that drew the users
    return computable(found) and found.beats


# ── Tables ────────────────────────────────────────────────────────────────────
def page(records: list[dict[str, Any]], null: list[bool], seeds: range, seconds: float) -> str:
    found = ("world", "what is true", "users", "must", "runs that do", "aim 18 of 20", "rules claimed")
    gains = ("world", "users", "over everybody", "true", "over nobody", "true", "samples with that rule")
    text = filled(
        "policy",
        seeds=f"{seeds[0]} to {seeds[-1]}",
        minutes=seconds / 60,
        found=table(found, [found_row(*one) for one in by_world(records)]),
        gains=table(gains, [gains_row(*one) for one in by_world(records) if len(CASES[one[0]].finds) == 1]),
    )
    if not null:
        return text
    return f"""{text}

Without any effect for anybody ({len(null):,} experiments of {NULL_UNITS:,} users with four traits,
seeds 1 to {len(null)}), where a wrong rule is claimed most easily, a rule is claimed in {fmean(null):.2%}
of the experiments; allowed: 5 %."""


def by_world(records: list[dict[str, Any]]) -> Iterator[tuple[str, int, list[dict[str, Any]]]]:
    for name, units in dict.fromkeys((record["world"], record["units"]) for record in records):
        yield name, units, [record for record in records if (record["world"], record["units"]) == (name, units)]


def found_row(name: str, units: int, mine: list[dict[str, Any]]) -> list[str]:
    case, right = CASES[name], sum(meets(record) for record in mine)
    claimed = Counter(record["rule"] for record in mine if record["rule"])
    return [
        name,
        case.says,
        f"{units:,}",
        "refuse" if not case.finds else f"find “{case.finds[0]}”" if len(case.finds) == 1 else "find such a rule",
        f"{right} of {len(mine)}",
        "met" if right >= AIM * len(mine) else "**missed**",
        "; ".join(f"{rule} ({n})" for rule, n in claimed.most_common(3)),
    ]


def gains_row(name: str, units: int, mine: list[dict[str, Any]]) -> list[str]:
    """The promised gains beside the true ones of the rule that the world has."""
    group, cost = CASES[name].finds[0].removeprefix("segment is "), CASES[name].cost
    over_none = fmean(record["share"][group] * (record["itt"][group] - cost) for record in mine)
    over_all = over_none - fmean(record["all"] for record in mine)
    reported = [fmean(record[key] for record in mine) for key in ("over_all", "over_none")]
    gains = [f"{100 * gain:+.2f}" for gain in (reported[0], over_all, reported[1], over_none)]
    return [name, f"{units:,}", *gains, f"{fmean(record['agreement'] for record in mine):.0%}"]


def meets(record: dict[str, Any]) -> bool:
    """Whether a run gave what its world must give."""
    finds = CASES[record["world"]].finds
    return record["rule"] in finds if finds else not record["rule"]


if __name__ == "__main__":
    main()
