"""N1: nudges that keep users by being seen, with a placebo that moves the behaviour a little as well."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.audit_04.figure import Figure, at_least, at_most, percent, shown, two_errors
from benchmarks.audit_04.stored_cells import cells_of
from experiments.analyse.codes import Code
from experiments.analyse.comparison.protocol import comparators, stages_of
from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.analyse.effects import OutcomeReport
from experiments.analyse.engine import Judgement, compare_all
from experiments.analyse.gather.answers import Block
from experiments.plan.design import Design
from stats.cells import joint_of_counts
from stats.results import computable

RUNS, SEED = 2_000, 20_261_201
ALWAYS, RETENTION, DIRECT = 0.2, (0.5, 0.3, 0.25), 0.02
OUTCOME, BEHAVIOUR = "window:21-27", "3 friends"
DESIGN = Design("variant", "control", (OUTCOME,), behaviour=BEHAVIOUR, placebo="placebo", stored=True)

type Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """Units an arm, shares of units that nudge and placebo move, and what the behaviour does to those moved."""

    units: int
    nudge: float
    placebo: float
    effect: float


WORLDS = (
    World(10_000, 0.05, 0.0, 0.0),
    World(20_000, 0.05, 0.01, 0.0),
    World(20_000, 0.08, 0.03, 0.0),
    World(20_000, 0.08, 0.03, 0.3),
    World(60_000, 0.08, 0.03, 0.3),
)


def figures(size: float) -> list[Figure]:
    runs, rng = max(round(RUNS * size), 40), np.random.default_rng(SEED)
    found: list[Figure] = []
    for world in WORLDS:
        codes, covered, moves = _seen(world, runs, rng)
        causes = codes[Code.CAUSES] / runs
        where = (
            f"{world.units:,} an arm, the nudge moves {world.nudge}, the placebo {world.placebo}, the behaviour is "
            f"worth {world.effect}"
        )
        of = (
            f"{runs:,}, HARMS {percent(codes[Code.HARMS] / runs)}; the placebo wasn't shown to be "
            f"inert in {percent(moves / runs, 0)}"
        )
        if world.effect:
            found.append(at_least(f"{where}: CAUSES", 0.85 - two_errors(0.85, runs), causes, of))
        else:
            found.append(at_most(f"{where}: CAUSES", 0.05 + two_errors(0.05, runs), causes, of))
        found.append(shown(f"{where}: the set covers it", percent(covered / runs)))
    return found


def _seen(world: World, runs: int, rng: np.random.Generator) -> tuple[Counter[Code], int, int]:
    """Codes of the nudge's verdicts; runs whose set covers the truth; runs in which the placebo wasn't shown inert."""
    arms = [
        draw(world.units, runs, rng, arm)
        for arm in (
            shares(world.nudge, 0.0, 0.0, 0.0),
            shares(world.nudge, world.nudge, DIRECT, world.effect),
            shares(world.nudge, world.placebo, DIRECT, world.effect),
        )
    ]
    codes, covered, moves = Counter[Code](), 0, 0
    for run in range(runs):
        row = judged(DESIGN, ("control", "nudge", "placebo"), [arm[run] for arm in arms]).comparisons[0]
        told = row.encouragement
        if told is None:
            raise AssertionError("the behaviour is part of the design")
        codes[row.verdict.code] += 1
        covered += computable(told.effect_set) and told.effect_set.contains(world.effect)
        moves += told.comparator_reason is not None
    return codes, covered, moves


def shares(compliers: float, moved: float, direct: float, effect: float) -> npt.NDArray[np.float64]:
    """P(R = r, D = d) of one arm as [r][d] in one row: it moves the first `moved` of the compliers."""
    kinds = (
        (ALWAYS, RETENTION[0], 1),
        (moved, RETENTION[1] + effect, 1),
        (compliers - moved, RETENTION[1], 0),
        (1 - ALWAYS - compliers, RETENTION[2], 0),
    )
    table = np.zeros((2, 2))
    for share, kept, does in kinds:
        table[1, does] += share * (kept + direct)
        table[0, does] += share * (1 - kept - direct)
    return table.ravel()


def draw(units: int, runs: int, rng: np.random.Generator, arm: npt.NDArray[np.float64]) -> Counts:
    return rng.multinomial(units, arm, size=runs).reshape(runs, 2, 2)


def judged(design: Design, labels: tuple[str, ...], counts: list[Counts]) -> OutcomeReport:
    """The engine's report of one outcome, from the counts of each arm, control first."""
    arms = [joint_of_counts(arm) for arm in counts]
    sizes = np.array([arm.n for arm in arms], dtype=np.int64)
    block = Block(
        ("value", "reached"), sizes, np.array([arm.means for arm in arms]), np.array([arm.covariance for arm in arms])
    )
    data = CellData(cells_of(labels, np.arange(len(arms)), {OUTCOME: block}), (OUTCOME,), {})
    against = comparators(design, labels, stages_of(design, data), None)
    return compare_all(design, data, Judgement(comparators=against))[0]
