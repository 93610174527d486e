"""Small worlds with a known truth, from which the calibration draws. Used by `calibration_rows.py` and its neighbours.

Where a test reads summaries, summaries are drawn; the sizes are those at which a team would use the test.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stats.summaries import Joint, Mean
from stats.survival.kaplan_meier import Durations

SEGMENTS = ((0.35, 0.10), (0.30, 0.25), (0.20, 0.40), (0.15, 0.60))  # share of users, their retention

type Floats = NDArray[np.float64]
type Rng = np.random.Generator


def shares(rng: Rng, runs: int, n: int = 1_000, rate: float = 0.3) -> list[tuple[Mean, Mean]]:
    return [pair_of(c, v, n, n) for c, v in rng.binomial(n, rate, (runs, 2))]


def pair_of(control: int, variant: int, n0: int, n1: int) -> tuple[Mean, Mean]:
    return Mean.from_counts(int(control), int(n0)), Mean.from_counts(int(variant), int(n1))


def spending(rng: Rng, runs: int, n0: int, n1: int, lift: float = 1.0) -> Iterator[tuple[Mean, Mean]]:
    """Skewed spending with a mean of 15, of the variant as many times that."""
    for row in rng.gamma(1.5, 10, (runs, n0 + n1)):
        yield Mean.from_values(row[:n0]), Mean.from_values(lift * row[n0:])


def with_covariates(rng: Rng, n: int = 300, effect: float = 0.0) -> tuple[Joint, Joint]:
    """An effect that differs between users, on average over the population the given one; arms of n and 2n."""
    x = rng.normal(size=(3 * n, 2))
    treated = np.arange(3 * n) >= n
    y = x @ (1.0, 0.5) + treated * (effect + 0.6 * x[:, 0]) + rng.normal(size=3 * n)
    rows = np.column_stack([y, x])
    return Joint.from_columns(rows[~treated]), Joint.from_columns(rows[treated])


def clustered(rng: Rng, *, effect: float = 0.0, groups: int = 60) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """Guilds of 5 to 35 users, half of them nudged; a sixth of the variance lies between guilds."""
    sizes = rng.integers(5, 36, groups)
    cluster = np.repeat(np.arange(groups), sizes)
    arm = rng.permutation(np.arange(groups) % 2).astype(float)[cluster]
    x = rng.normal(size=len(cluster))
    y = rng.normal(size=groups)[cluster] * 0.45 + x * 0.5 + rng.normal(size=len(cluster)) + effect * arm
    return y, arm, x[:, None], cluster


def unequal_clusters(
    rng: Rng, *, effect: float = 0.0, groups: int = 30, spread: float = 0.7
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Guilds of lognormal size, half of them nudged; a tenth of the variance lies between guilds."""
    sizes = np.maximum(np.round(20 * np.exp(rng.normal(0, spread, groups))), 2).astype(np.int64)
    cluster = np.repeat(np.arange(groups), sizes)
    arm = (cluster < groups // 2).astype(float)
    y = np.sqrt(0.1) * rng.normal(size=groups)[cluster] + np.sqrt(0.9) * rng.normal(size=len(cluster)) + effect * arm
    return y, arm, cluster


def strata(rng: Rng, runs: int, n: int = 4_000, lifted: float = 0.0) -> list[list[tuple[Mean, Mean]]]:
    """Four segments with their own retention; units fall into segment and arm at random."""
    cells = np.repeat([share / 2 for share, _ in SEGMENTS], 2)
    rates = np.array([[rate, rate + lifted] for _, rate in SEGMENTS]).ravel()
    sizes = rng.multinomial(n, cells, runs)
    kept = rng.binomial(sizes, rates)
    return [[pair_of(x[i], x[i + 1], m[i], m[i + 1]) for i in range(0, 8, 2)] for m, x in zip(sizes, kept, strict=True)]


@dataclass(frozen=True)
class Nudge:
    """A world of compliers, always- and never-takers; the latter two stay with 70 % and 25 %.

    Attributes:
        compliers: their share.
        effect: of the behaviour on compliers, who stay with 30 % without it.
        n: units per arm.
        always: share of always-takers.
    """

    compliers: float
    effect: float = 0.0
    n: int = 2_000
    always: float = 0.2

    def draw(self, rng: Rng, runs: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Counts[r][d] of control and of the nudged arm."""
        never, c, a = 1 - self.compliers - self.always, self.compliers, self.always
        untreated, treated = 0.25 * never + 0.3 * c, 0.7 * a + (0.3 + self.effect) * c
        cells = (
            ((never + c - untreated), 0.3 * a, untreated, 0.7 * a),
            (0.75 * never, a + c - treated, 0.25 * never, treated),
        )
        arms = [rng.multinomial(self.n, cell, runs).reshape(runs, 2, 2) for cell in cells]
        return list(zip(*arms, strict=True))


def lifetimes(
    rng: Rng, runs: int, n: int = 300, leaving: tuple[float, float] = (0.03, 0.03)
) -> Iterator[tuple[Durations, Durations]]:
    """Days until churn of two arms with steady chances, seen for 20 to 60 days."""
    for _ in range(runs):
        yield _durations(rng, n, leaving[0]), _durations(rng, n, leaving[1])


def _durations(rng: Rng, n: int, leaving: float) -> Durations:
    stays, seen = rng.geometric(leaving, n) - 1, rng.integers(20, 61, n)
    return Durations.from_values(np.minimum(stays, seen).astype(float), stays <= seen)
