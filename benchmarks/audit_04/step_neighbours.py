"""Jumps and kinks: a rise that ends at a number of times isn't called a jump, and is said to level off there."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from aha.study.grid import CountTable, Floats, Ints, build_table
from aha.study.step import Step, StepVerdict, step_evidence
from benchmarks.audit_04.figure import Figure, at_least, at_most, percent, shown, two_errors

TIMES = tuple(range(1, 11))
# Those of the kinks, of other laws, and with 100,000 units: about four minutes of a core for each group of rows.
KINKS, RUNS, LARGE = 200, 100, 20
REPLICATES = 199
# The rule was chosen on the seeds below it.
FIRST_SEED = 50_000
type Law = Callable[[Ints], Floats]


@dataclass(frozen=True)
class Row:
    """One world: a law of the log-odds, a jump in points at 3, the word that is counted, and its bound."""

    name: str
    law: Law
    jump: float
    units: int
    word: StepVerdict
    at: int | None  # the number that the word has to name
    share: float | None = None  # None: shown
    least: bool = False
    runs: int = RUNS


def even(rise: float, until: int) -> Law:
    return lambda counts: rise * np.minimum(counts, until)


KINK_4, KINK_3, MILD = even(0.3, 4), even(0.5, 3), even(0.2, 4)
TEN, FLAT = even(0.12, 10), even(0.0, 1)


def saturating(counts: Ints) -> Floats:
    return np.asarray(0.9 * (1 - np.exp(-counts / 2)))


def logarithm(counts: Ints) -> Floats:
    return np.asarray(0.3 * np.log1p(counts))


JUMP, LEVEL = StepVerdict.JUMP, StepVerdict.LEVELS_OFF
ROWS = (
    Row(".3 min(N, 4)", KINK_4, 0.0, 30_000, JUMP, None, 0.05, runs=KINKS),
    Row(".5 min(N, 3)", KINK_3, 0.0, 30_000, JUMP, None, 0.05, runs=KINKS),
    Row(".2 min(N, 4)", MILD, 0.0, 30_000, JUMP, None, 0.05, runs=KINKS),
    Row(".5 min(N, 3)", KINK_3, 0.0, 10_000, JUMP, None),
    Row(".3 min(N, 4)", KINK_4, 0.0, 100_000, JUMP, None, runs=LARGE),
    Row("saturating, .9 (1 - exp(-N/2))", saturating, 0.0, 30_000, JUMP, None, 0.05),
    Row(".12 min(N, 10)", TEN, 0.0, 30_000, JUMP, None, 0.05),
    Row("jump of 5 points, .12 min(N, 10)", TEN, 0.05, 30_000, JUMP, 3, 0.60, least=True),
    Row("jump of 5 points, .3 log(1 + N)", logarithm, 0.05, 30_000, JUMP, 3, 0.60, least=True),
    Row("jump of 5 points, nothing else", FLAT, 0.05, 30_000, JUMP, 3, 0.60, least=True),
    Row("jump of 5 points, .3 log(1 + N)", logarithm, 0.05, 10_000, JUMP, 3),
    Row("jump of 5 points, .12 min(N, 10)", TEN, 0.05, 100_000, JUMP, 3, 0.95, least=True, runs=LARGE),
    Row("jump of 5 points, .3 log(1 + N)", logarithm, 0.05, 100_000, JUMP, 3, 0.95, least=True, runs=LARGE),
    Row("jump of 8 points, .3 log(1 + N)", logarithm, 0.08, 10_000, JUMP, 3),
    Row("jump of 8 points, .3 log(1 + N)", logarithm, 0.08, 30_000, JUMP, 3),
    Row(".3 min(N, 4)", KINK_4, 0.0, 30_000, LEVEL, 4, runs=KINKS),
    Row(".5 min(N, 3)", KINK_3, 0.0, 30_000, LEVEL, 3, runs=KINKS),
    Row(".2 min(N, 4)", MILD, 0.0, 30_000, LEVEL, 4, runs=KINKS),
    Row(".5 min(N, 3)", KINK_3, 0.0, 10_000, LEVEL, 3),
    Row(".3 min(N, 4)", KINK_4, 0.0, 100_000, LEVEL, 4, runs=LARGE),
    Row("saturating, .9 (1 - exp(-N/2))", saturating, 0.0, 30_000, LEVEL, None, 0.05),
    Row(".12 min(N, 10)", TEN, 0.0, 30_000, LEVEL, None, 0.05),
    Row("jump of 5 points, .12 min(N, 10)", TEN, 0.05, 30_000, LEVEL, None, 0.05),
    Row("jump of 5 points, .3 log(1 + N)", logarithm, 0.05, 30_000, LEVEL, None, 0.05),
)


def figures(size: float) -> list[Figure]:
    seen: dict[tuple[str, int], list[Step]] = {}  # rows of one world share their runs
    for row in ROWS:
        runs = range(max(round(row.runs * size), 4))
        if (row.name, row.units) not in seen:
            seen[row.name, row.units] = [one(row, FIRST_SEED + run) for run in runs]
    return [_figure(row, seen[row.name, row.units]) for row in ROWS]


def one(row: Row, seed: int) -> Step:
    rng = np.random.default_rng(seed)
    return step_evidence(table(row, seed), [TIMES], rng=rng, replicates=REPLICATES)[0]


def table(row: Row, seed: int) -> CountTable:
    rng = np.random.default_rng(seed)
    active = rng.integers(1, 8, row.units)
    counts = rng.poisson(active * 0.8)
    chance = expit(-1.5 + 0.1 * active + row.law(counts)) + row.jump * (counts >= 3)
    return build_table(
        behaviours=["x"],
        days=[7],
        unit_ids=np.arange(row.units).astype(str),
        retained=rng.random(row.units) < chance,
        week=np.zeros(row.units),
        active_days=active,
        rows=(np.arange(row.units), np.array(["x"] * row.units, dtype=object), counts[:, None]),
    )


def place(step: Step) -> int:
    """The number that the step's word names."""
    return step.times if step.levels_off is None else step.levels_off.times


def _figure(row: Row, steps: list[Step]) -> Figure:
    runs = len(steps)
    said = Counter(place(step) for step in steps if step.verdict is row.word)
    hits = said.total() if row.at is None else said[row.at]
    words = "called a jump" if row.word is JUMP else "said to level off"
    words += "" if row.at is None else f" at {row.at}"
    what = f"{row.name}, {row.units:,} units: {words}"
    if row.share is None:
        return shown(what, f"{percent(hits / runs)} of {runs}")
    luck = two_errors(row.share, runs)
    bound, side, words = (
        (row.share - luck, at_least, "at least") if row.least else (row.share + luck, at_most, "at most")
    )
    return side(what, bound, hits / runs, f"{runs}", f"{words} {percent(row.share, 0)} ({percent(bound)})")
