"""Does a plan of the design search decide within its promised days as often as it promises? On the demo's world.

    .venv/bin/python benchmarks/causes/design_search.py --write docs/design_search.md
    .venv/bin/python benchmarks/causes/design_search.py --pool 40000 --many 2000 --files 2

The search is given what a team has: users of earlier weeks without a nudge (their number a day, retention, reach and
R²), and the take-up of an earlier nudge. Its designs are then carried out many times: each run draws the users that
come, arm by arm, from the joint law of trait, behaviour and retention in the world `step` (docs/methods/worlds.md),
looks at the planned shares, and has decided when the Anderson-Rubin set excludes 0 and is bounded. A few runs go whole
through `analyze_file`.
"""

import os
import sys
import time
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.frame import analysed, commit, filled, in_django, options_of, paragraph, show
from events.simulation import WORLDS, simulate
from events.simulation.worlds import GROUP_NAMES, RETENTION_DAYS, STANDARD_UNITS, World
from experiments.plan.designs import (
    EVERYONE,
    Assigned,
    Audience,
    DesignOption,
    JudgedDesign,
    PastTakeUp,
    SearchInputs,
    judged,
    proposal,
    search,
)
from experiments.report.planning import named
from stats.power.family_and_looks import Method, Plan, critical_values

SIGNUP_DAYS = 56  # signups of the simulated worlds are spread over eight weeks
PER_DAY = STANDARD_UNITS / SIGNUP_DAYS
EARLIER = STANDARD_UNITS // 2  # users of four weeks
PILOTS = (1_000, 4_000)  # users of the earlier nudge's test, both arms together
CHUNK = 50_000
POOL_SEED, EARLIER_SEED, RUN_SEED = 100, 7, 11
PLATFORMS = 2
R, D = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])  # of the four cells of an arm


@dataclass(frozen=True)
class Law:
    """Joint law of the world: share of users by trait (group and platform), and by trait the cells (R, D) per arm.

    Attributes:
        shares: of each trait, over everyone.
        control, nudge: traits x 4 cells, each row sums to 1.
        units: users that it rests on.
    """

    shares: np.ndarray
    control: np.ndarray
    nudge: np.ndarray
    units: int

    def of(self, group: int | None) -> "Law":
        """The law of one play pattern, or of everyone."""
        inside = np.ones(len(self.shares), dtype=bool)
        if group is not None:
            inside = np.arange(len(self.shares)) // PLATFORMS == group
        share = self.shares[inside]
        return Law(share / share.sum(), self.control[inside], self.nudge[inside], round(self.units * share.sum()))

    @property
    def base(self) -> float:
        """Share that stays without a nudge."""
        return float(self.shares @ self.control @ R)

    @property
    def reach(self) -> float:
        """Share that reaches the moment without a nudge."""
        return float(self.shares @ self.control @ D)

    @property
    def moved(self) -> float:
        """Share that the nudge moves."""
        return float(self.shares @ self.nudge @ D) - self.reach

    @property
    def effect(self) -> float:
        """Effect of the behaviour on those whom the nudge moves."""
        return (float(self.shares @ self.nudge @ R) - self.base) / self.moved

    @property
    def r_squared(self) -> float:
        """Share of retention's variance that the traits explain."""
        levels = self.control @ R
        return float(self.shares @ (levels - self.base) ** 2) / (self.base * (1 - self.base))


def law_of(world: World, units: int, seed: int) -> Law:
    """The law from the potential outcomes of so many users."""
    counts = np.zeros((2, len(GROUP_NAMES) * PLATFORMS, 4))
    for place, start in enumerate(range(0, units, CHUNK)):
        made = simulate(world, min(CHUNK, units - start), seed + place)
        trait = made.people.group * PLATFORMS + made.people.platform
        for arm in (0, 1):
            cell = made.retained_by_arm[arm] + 2 * made.reached_by_arm[arm]
            np.add.at(counts[arm], (trait, cell.astype(np.int64)), 1)
    whole = counts.sum(axis=2)
    return Law(whole[0] / whole[0].sum(), counts[0] / whole[0][:, None], counts[1] / whole[1][:, None], units)


# ── What the search is told ───────────────────────────────────────────────────
def told(earlier: Law, effect: float, take_ups: tuple[PastTakeUp, ...], r_squared: float) -> SearchInputs:
    """Users to come as those of the earlier weeks were; everyone and each play pattern."""
    audiences = [_audience(EVERYONE, earlier, 1.0)]
    for group, name in enumerate(GROUP_NAMES):
        share = float(earlier.shares.reshape(-1, PLATFORMS).sum(axis=1)[group])
        audiences.append(_audience(name, earlier.of(group), share))
    return SearchInputs(effect, tuple(audiences), take_ups, r_squared)


def _audience(name: str, law: Law, share: float) -> Audience:
    return Audience(name, PER_DAY * share, law.base, None, law.reach, RETENTION_DAYS[1])


def true_take_ups(law: Law) -> tuple[PastTakeUp, ...]:
    """As if the earlier nudge had been tested on ever so many."""
    groups = [(EVERYONE, law), *((name, law.of(group)) for group, name in enumerate(GROUP_NAMES))]
    return tuple(PastTakeUp("earlier nudge", name, one.moved) for name, one in groups)


# ── Carrying a design out ─────────────────────────────────────────────────────
def carried_out(found: JudgedDesign, law: Law, runs: int, seed: int) -> np.ndarray:
    """Look at which each run had decided, from 1; 0 for never by the promised day."""
    design, rng = found.design, np.random.default_rng(seed)
    critical = critical_values(Plan(baseline=0.5, method=design.method, looks=design.looks))
    audience = design.audience
    last = found.days - audience.last_day - 1  # days of enrolment until the promised day
    days = [min(ceil(found.units * t / audience.per_day), last) for t in critical.times]
    looks, counts = np.zeros(runs, dtype=int), np.zeros((2, runs, len(law.shares), 4))
    before = 0
    # A placebo that leaves everything alone is another control; the control arm plays no part in the verdict then.
    for at, (day, value) in enumerate(zip(days, critical.values, strict=True)):
        per_arm = audience.per_day * (day - before) * design.shares[0]
        before = day
        for arm, cells in enumerate((law.control, law.nudge)):
            mean = per_arm * law.shares[:, None] * cells  # a Poisson number of arrivals, split by trait and cell
            counts[arm] += rng.poisson(mean, (runs, *mean.shape))
        z = _z(counts, R, adjusted=design.adjusted), _z(counts, D, adjusted=design.adjusted)
        looks[(looks == 0) & (np.abs(z[0]) > value) & (np.abs(z[1]) > value)] = at + 1
    return looks


def _z(counts: np.ndarray, column: np.ndarray, *, adjusted: bool) -> np.ndarray:
    """Difference over its unpooled error, runs long; adjusted: by trait, weighted by the traits of both arms.

    With dummies as covariates Lin's regression is this average; its error has the term of the traits' own shares.
    """
    n = counts.sum(axis=(2, 3))
    if not adjusted:
        mean = counts.sum(axis=2) @ column / n
        return np.asarray((mean[1] - mean[0]) / np.sqrt((mean * (1 - mean) / (n - 1)).sum(axis=0)))
    size = counts.sum(axis=3)
    mean = counts @ column / np.maximum(size, 1)
    weight = size.sum(axis=0) / n.sum(axis=0)[:, None]
    gap = mean[1] - mean[0]
    effect = (weight * gap).sum(axis=1)
    within = (weight**2 * (mean * (1 - mean) / np.maximum(size - 1, 1)).sum(axis=0)).sum(axis=1)
    between = (weight * (gap - effect[:, None]) ** 2).sum(axis=1) / n.sum(axis=0)
    return np.asarray(effect / np.sqrt(within + between))


def whole_run(world: World, units: int, seed: int, *, placebo: bool) -> str:
    """One experiment as a file through `analyze_file`: its verdict."""
    from benchmarks.verdicts import design_of
    from tests.simulated import experiment_table

    arms = ("control", "nudge", "placebo") if placebo else ("control", "nudge")
    made = simulate(replace(world, arms=arms), units, seed)
    return str(analysed(experiment_table(made), design_of(arms, covariates=())).verdict.code)


def from_pilots(law: Law, asked: SearchInputs, runs: int) -> list[str]:
    """Plans made from a pilot's take-up, anew in each run: what they promise against what they keep."""
    rows = []
    for pilot in PILOTS:
        for averaged in (True, False):
            promised, kept, units = _one_pilot(law, asked, runs, pilot, averaged)
            name = "its error averaged over" if averaged else "taken for certain"
            rows.append(f"| {pilot:,} | {name} | {units:,.0f} | {promised:.1f} % | {kept:.1f} % |")
    return rows


def _one_pilot(law: Law, asked: SearchInputs, runs: int, pilot: int, averaged: bool) -> tuple[float, float, float]:
    rng, half = np.random.default_rng(RUN_SEED), pilot // 2
    promised, kept, units = 0.0, 0, []
    for run in range(runs):
        low, high = rng.binomial(half, law.reach) / half, rng.binomial(half, law.reach + law.moved) / half
        error = ((low * (1 - low) + high * (1 - high)) / half) ** 0.5 if averaged else 0.0
        audience = asked.audiences[0]
        found = judged(
            asked, DesignOption(Assigned.NUDGE, "pilot", audience, high - low, error, False, False, Method.FIXED)
        )
        if not isinstance(found, JudgedDesign):  # no plan, no promise
            continue
        units.append(found.units)
        promised += found.chance
        kept += int(carried_out(found, law, 1, 10_000 + run)[0] > 0)
    return 100 * promised / len(units), 100 * kept / len(units), float(np.mean(units))


# ── The page ──────────────────────────────────────────────────────────────────
def main() -> None:
    parser = options_of(__doc__, processes=False, pilots=2_000)
    parser.add_argument("--pool", type=int, default=400_000, help="users on whom the world's law rests")
    parser.add_argument("--runs", type=int, default=200, help="runs of the issue's figure")
    parser.add_argument("--many", type=int, default=20_000, help="runs of the exact figure")
    parser.add_argument("--files", type=int, default=60, help="whole runs through analyze_file, each design")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    begun = time.perf_counter()
    world = WORLDS["step"]
    law, earlier = law_of(world, options.pool, POOL_SEED), law_of(world, EARLIER, EARLIER_SEED)
    asked = told(earlier, law.effect, true_take_ups(law), earlier.r_squared)
    found = search(asked)
    designs, gap = _table(found.ranked, law, proposal(found), options)
    text = filled(
        "design_search",
        world=_world(law, earlier),
        designs=designs,
        gap=gap,
        pilots=from_pilots(law, asked, options.pilots),
        files=_files(found.ranked, world, options.files),
        foot=_foot(options, time.perf_counter() - begun),
    )
    show(text, options.write)


def _world(law: Law, earlier: Law) -> str:
    groups = ", ".join(f"{name} {100 * law.of(at).effect:.1f}" for at, name in enumerate(GROUP_NAMES))
    return paragraph(f"""The world: {PER_DAY:,.0f} users a day; {100 * law.base:.1f} % stay and {100 * law.reach:.1f} %
        reach the moment by themselves; the nudge moves {100 * law.moved:.1f} %, on whom the behaviour has an effect of
        {100 * law.effect:.1f} points ({law.units:,} users' potential outcomes; by play pattern: {groups}). The search
        is told {EARLIER:,} earlier users without a nudge ({100 * earlier.base:.1f} % stay, {100 * earlier.reach:.1f} %
        reach it; play pattern and platform explain {100 * earlier.r_squared:.1f} % of retention's variance), the
        nudge's take-up, and everyone's effect as what is hoped for.""")


def _table(
    ranked: tuple[JudgedDesign, ...], law: Law, best: JudgedDesign | None, options: Any
) -> tuple[list[str], str]:
    lines = [
        "| place | design | units | days at most | promised | decided in "
        f"{options.runs} | decided in {options.many:,} | days on average: promised | found |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    worst = 0.0
    for place, one in enumerate(ranked, start=1):
        design = one.design
        group = design.audience.segment
        # One look of each play pattern, without a placebo, stands for the rest of them; everyone is shown whole.
        few = group and (design.placebo or design.adjusted or design.method is not Method.FIXED)
        if design.assigned is not Assigned.NUDGE or few:
            continue
        own = law.of(GROUP_NAMES.index(group) if group else None)
        some, many = (carried_out(one, own, runs, RUN_SEED + place) for runs in (options.runs, options.many))
        ends = [ceil(one.units * (k + 1) / design.looks / design.audience.per_day) for k in range(design.looks)]
        days = np.array(ends) + design.audience.last_day + 1
        average = np.where(many > 0, days[many - 1], days[-1]).mean()
        if not group:
            worst = max(worst, abs(float(np.mean(many > 0)) - one.chance))
        mark = " **(proposed)**" if one is best else ""
        shares = [f"{100 * share:.1f} %" for share in (one.chance, np.mean(some > 0), np.mean(many > 0))]
        plan = [str(place), f"{named(design)}{mark}", f"{one.units:,}", str(one.days)]
        lines.append("| " + " | ".join([*plan, *shares, f"{one.expected_days:.1f}", f"{average:.1f}"]) + " |")
    said = f"""The largest gap between promise and {options.many:,} runs, for everyone: {100 * worst:.1f} points. For a
        play pattern the search takes everyone's effect, which isn't its own: patterns with a larger effect decide more
        often than promised, those with a smaller one less often. Tests of the feature itself are left out: their
        effect isn't that on the users whom the nudge moves."""
    return lines, paragraph(said)


def _files(ranked: tuple[JudgedDesign, ...], world: World, seeds: int) -> list[str]:
    lines = []
    for placebo in (False, True):
        one = next(
            one
            for one in ranked
            if one.design.assigned is Assigned.NUDGE
            and not one.design.audience.segment
            and not one.design.adjusted
            and one.design.method is Method.FIXED
            and one.design.placebo is placebo
        )
        codes = [whole_run(world, one.units, 500 + seed, placebo=placebo) for seed in range(seeds)]
        others = ", ".join(f"{codes.count(code)} {code}" for code in sorted(set(codes) - {"CAUSES"})) or "–"
        causes = f"{codes.count('CAUSES')} of {seeds}"
        lines.append(f"| {named(one.design)} | {one.units:,} | {100 * one.chance:.0f} % | {causes} | {others} |")
    return lines


def _foot(options: Any, seconds: float) -> str:
    said = f"""`python benchmarks/causes/design_search.py`: law of {options.pool:,} users from seed {POOL_SEED},
        earlier users seed {EARLIER_SEED}, runs seed {RUN_SEED} and up, {options.pilots:,} pilots of each size;
        commit {commit()}, {seconds / 60:.1f} minutes."""
    return paragraph(said)


if __name__ == "__main__":
    in_django()
    main()
