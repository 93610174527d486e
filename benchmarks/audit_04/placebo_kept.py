"""Finding N1: nudges that keep users by being seen, with a placebo that moves the behaviour a little as well."""

from collections import Counter
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from benchmarks.audit_04.figure import Figure, percent
from experiments.analyse.codes import Code
from experiments.analyse.comparator import comparators, stages_of
from experiments.analyse.comparison.warehouse_data import CellData
from experiments.analyse.effects import OutcomeReport
from experiments.analyse.engine import Judgement, compare_all
from experiments.analyse.gather.answers import Block, Cells
from experiments.plan.design import Design
from stats.cells import joint_of_counts
from stats.results import computable

TITLE = "The placebo stays"
TEXT = """Where a placebo wasn't shown to leave the behaviour alone, version 0.4 compared with control: CAUSES of a
behaviour that does nothing in 52, 84 and 99 % of experiments (the first three rows). Now nudge against placebo is the
comparison, always: a valid instrument as long as both do the same by being seen, with the net first stage. World: 20 %
always-takers; the nudge and the placebo move the named shares (whom the placebo moves, the nudge moves as well);
retention .5, .3 and .25 of always-takers, compliers and never-takers; nudge and placebo both keep 2 points more of
everybody. Drawn as counts and judged by the whole engine. Source: docs/methods/encouragement.md. Bounds are widened by
two binomial errors of the runs."""

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
    """The verdict of each world, and whether its set covers the truth."""
    runs, rng = max(round(RUNS * size), 40), np.random.default_rng(SEED)
    found: list[Figure] = []
    for world in WORLDS:
        codes, covered, moves = _seen(world, runs, rng)
        causes = codes[Code.CAUSES] / runs
        bound, real = (0.85, True) if world.effect else (0.05, False)
        slack = 2 * sqrt(bound * (1 - bound) / runs)
        where = (
            f"{world.units:,} an arm, the nudge moves {world.nudge}, the placebo {world.placebo}, the behaviour is "
            f"worth {world.effect}"
        )
        seen = (
            f"{percent(causes)} of {runs:,}, HARMS {percent(codes[Code.HARMS] / runs)}; the placebo wasn't shown to be "
            f"inert in {percent(moves / runs, 0)}"
        )
        required = f"at least {percent(bound - slack)}" if real else f"at most {percent(bound + slack)}"
        met = causes >= bound - slack if real else causes <= bound + slack
        found.append(Figure(f"{where}: CAUSES", required, seen, met))
        found.append(Figure(f"{where}: the set covers it", "shown", percent(covered / runs), None))
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
    """Counts of one arm, [run][r][d]."""
    return rng.multinomial(units, arm, size=runs).reshape(runs, 2, 2)


def judged(design: Design, labels: tuple[str, ...], counts: list[Counts]) -> OutcomeReport:
    """The engine's report of one outcome, from the counts of each arm, control first."""
    arms = [joint_of_counts(arm) for arm in counts]
    sizes, zero = np.array([arm.n for arm in arms], dtype=np.int64), np.zeros(len(arms), dtype=np.int64)
    block = Block(
        ("value", "reached"), sizes, np.array([arm.means for arm in arms]), np.array([arm.covariance for arm in arms])
    )
    cells = Cells(
        variants=labels,
        segments=("",),
        weeks=(),
        covariates=(),
        levels=(),
        variant=np.arange(len(arms)),
        segment=zero,
        week=zero,
        covariate=np.empty((len(arms), 0), dtype=np.int64),
        exposed=sizes,
        blocks={OUTCOME: block},
    )
    data = CellData(cells, (OUTCOME,), {})
    against = comparators(design, labels, stages_of(design, data), None)
    return compare_all(design, data, Judgement(comparators=against))[0]
