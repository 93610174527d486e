"""Worlds in which a covariate known before explains a part of the outcome. Used by `calibration_adjusted.py`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import product

import numpy as np

from benchmarks.calibration_worlds import Floats, Rng
from experiments.plan.earlier.prediction import Earlier, fit_predictor
from experiments.plan.earlier.predictor import Predictor
from experiments.plan.record import Plan, PlannedVariant
from stats.cells import pool_cells
from stats.ratios import linearised, ratio_point
from stats.summaries import Joint

# Units, share of the nudge, level, weight of the covariate.
FOUR = ((300, 0.5, 0.2, 0.1), (500, 0.3, 0.4, 0.25), (800, 0.6, 0.5, 0.2), (120, 0.5, 0.7, 0.1))
# Outcome, behaviour, covariate of each cell.
CELLS = np.array(list(product((0.0, 1.0), (0.0, 1.0), (-1.0, 1.0))))
OUTCOME = "window:14-20"


@dataclass(frozen=True)
class Nudged:
    """A nudge, a behaviour and a retention that a covariate of -1 or 1 explains to a fifth.

    Attributes:
        compliers: share that reaches the behaviour only if nudged.
        effect: of the behaviour on everybody's retention.
        n: units of each arm.
        reach: share that reaches it without the nudge; they stay more often by themselves.
        level: retention on average without the behaviour's effect; `lean` is added times the covariate.
    """

    compliers: float
    effect: float
    n: int
    reach: float = 0.2
    level: float = 0.36
    lean: float = 0.2115

    def shares(self, *, nudged: bool) -> Floats:
        """Share of the units of an arm in each of `CELLS`."""
        found = np.zeros(len(CELLS))
        for place, (outcome, did, x) in enumerate(CELLS.tolist()):
            always, rest = self.reach * (1 + 0.2 * x), 1 - self.reach * (1 + 0.2 * x)
            compliers = self.compliers
            # Those who come by themselves stay 5 points more, the others less, so that the level is the average.
            groups = [(always, 0.05, 1.0), (compliers, -0.0125, float(nudged)), (rest - compliers, -0.0125, 0.0)]
            for size, own, reached in groups:
                if reached != did:
                    continue
                kept = self.level + self.lean * x + own + self.effect * reached
                found[place] += 0.5 * size * (kept if outcome else 1 - kept)
        return found

    @property
    def baseline(self) -> float:
        """Retention in control."""
        return float(self.shares(nudged=False) @ CELLS[:, 0])

    def draw(self, rng: Rng, runs: int) -> Floats:
        """Units by run, arm and cell."""
        arms = [rng.multinomial(self.n, self.shares(nudged=nudged), runs) for nudged in (False, True)]
        return np.stack(arms, axis=1).astype(float)


def joints_of(counts: Floats) -> Iterator[tuple[Joint, Joint]]:
    """Control and variant over (outcome, behaviour, covariate) of each run."""
    nothing = np.zeros((len(CELLS), 2, 2))
    for arms in counts:
        control, variant = (pool_cells(n, CELLS[:, :2], nothing, CELLS[:, 2:]) for n in arms)
        yield control, variant


def strata_of_four(rng: Rng, runs: int) -> Iterator[list[tuple[Joint, Joint]]]:
    """Four segments with their own level, split and weight of the covariate; nobody is moved."""
    for _ in range(runs):
        strata = []
        for size, split, level, lean in FOUR:
            x = rng.choice((-1.0, 1.0), size)
            rows = np.column_stack([rng.random(size) < level + lean * x, x]).astype(float)
            arm = rng.random(size) < split
            strata.append((Joint.from_columns(rows[~arm]), Joint.from_columns(rows[arm])))
        yield strata


def few_units(rng: Rng, runs: int, n: int = 50) -> Iterator[tuple[Joint, Joint]]:
    """Skewed spending of 50 users an arm, which three covariates explain in part."""
    x = rng.normal(size=(runs, 2 * n, 3))
    y = np.exp(0.4 * x[..., 0] + 0.2 * x[..., 1]) * rng.gamma(1.5, 10, (runs, 2 * n))
    for row in np.concatenate([y[..., None], x], axis=2):
        yield Joint.from_columns(row[:n]), Joint.from_columns(row[n:])


def ratio_pairs(rng: Rng, runs: int, n: int = 1_000) -> Iterator[tuple[Joint, Joint]]:
    """Clicks per view, linearised where each arm stands; the covariate is what the user clicked before."""
    for _ in range(runs):
        rate = rng.beta(2, 6, 2 * n)
        views = rng.poisson(3, 2 * n) + 1
        rows = np.column_stack([rng.binomial(views, rate), views, rng.binomial(10, rate)]).astype(float)
        arms = []
        for part in (rows[:n], rows[n:]):
            point = ratio_point(np.ones(n), part[:, :2])
            changed, _ = linearised(part, np.zeros((n, 3, 3)), point)
            arms.append(Joint.from_columns(changed))
        yield arms[0], arms[1]


LEVEL_SHARES = (0.4, 0.3, 0.2, 0.1)
KEPT = (0.2, 0.35, 0.55, 0.8)  # of users by their channel


def earlier_users(rng: Rng, n: int = 2_000) -> Predictor:
    """A model of users who came before, by channel; 600 newest judge it."""
    sizes = np.concatenate([rng.multinomial(n - 600, LEVEL_SHARES), rng.multinomial(600, LEVEL_SHARES)])
    kept = rng.binomial(sizes, np.tile(KEPT, 2))
    means = kept / np.maximum(sizes, 1)
    earlier = Earlier(
        names=("channel",),
        labels=tuple((f"c{place}",) for place in range(4)) * 2,
        n=sizes.astype(float),
        means=means,
        variances=means * (1 - means) * sizes / np.maximum(sizes - 1, 1),
        newest=np.repeat([0, 1], 4),
        share=True,
        first=date(2026, 9, 1),
        last=date(2026, 11, 23),
    )
    arms = (PlannedVariant("control", 0, 5_000), PlannedVariant("nudge", 1, 5_000))
    plan = Plan("e", "e", "h", arms, "integer", 0, (OUTCOME,), 2_000, None, 0.02, covariates=("channel",))
    found = fit_predictor(earlier, plan)
    if not isinstance(found, Predictor):
        raise TypeError(f"no model: {found}")
    return found


def predicted_levels(rng: Rng, predictor: Predictor, n: int = 500) -> tuple[Joint, Joint]:
    """New users, half of them nudged, which does nothing; the covariate is their predicted retention."""
    channel = rng.choice(4, 2 * n, p=LEVEL_SHARES)
    scores = predictor.score(("channel",), [(f"c{place}",) for place in range(4)])
    rows = np.column_stack([rng.random(2 * n) < np.array(KEPT)[channel], scores[channel]]).astype(float)
    return Joint.from_columns(rows[:n]), Joint.from_columns(rows[n:])
