"""A ratio whose segments move against each other: revenue per active day of casual and heavy users.

Half of the users are casual (about 2 active days), half heavy (about 20); revenue is 1 an active day. The nudge adds .5
an active day for casual users and takes .1 from heavy ones: revenue per active day falls from 1 to .9545.
"""

import numpy as np
from numpy.typing import NDArray

from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.analyse.effects import Comparison, OutcomeReport
from experiments.analyse.engine import Judgement, compare_all
from experiments.analyse.gather.answers import REACHED, Block, Cells
from experiments.plan.design import Design

type Floats = NDArray[np.float64]
type Rng = np.random.Generator

METRIC = "sum:buy:amount:0-6 / active_days:0-6"
DAYS, CHANGE, RATE = np.array([2.0, 20.0]), np.array([0.5, -0.1]), 1.0
TRUTH = float((DAYS * (RATE + CHANGE)).sum() / DAYS.sum() - RATE)
EQUAL, UNEQUAL = (0.5, 0.5), (0.8, 0.3)
MOVED = 0.4


def draw(rng: Rng, n: int, shares: tuple[float, float]) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Arm, segment and (revenue, active days, reached the moment); ``shares``: of the segments' users, nudged."""
    segment = rng.integers(0, 2, n)
    arm = (rng.random(n) < np.array(shares)[segment]).astype(np.int64)
    days = 1.0 + rng.poisson(DAYS[segment] - 1)
    own = np.exp(rng.normal(-0.02, 0.2, n))
    revenue = days * (RATE * own + arm * CHANGE[segment]) + rng.normal(0, 1, n) * np.sqrt(days) * 0.5
    reached = (rng.random(n) < 0.2 + MOVED * arm).astype(float)
    return arm, segment, np.column_stack([revenue, days, reached])


def data_of(arm: NDArray[np.int64], segment: NDArray[np.int64], values: Floats, *, names: tuple[str, ...]) -> CellData:
    """The moments that a warehouse would answer; ``names`` of one segment: a plan without segments."""
    segment = segment if len(names) > 1 else np.zeros_like(segment)
    keys = [(g, s) for g in (0, 1) for s in range(len(names))]
    rows = [values[(arm == g) & (segment == s)] for g, s in keys]
    columns = ("value", "denominator", REACHED)[: values.shape[1]]
    block = Block(
        columns,
        np.array([len(row) for row in rows]),
        np.array([row.mean(axis=0) for row in rows]),
        np.array([np.cov(row.T) for row in rows]),
    )
    g, s = (np.array(part) for part in zip(*keys, strict=True))
    none = np.zeros(len(keys), dtype=np.int64)
    cells = Cells(
        ("control", "nudge"),
        names,
        (),
        (),
        (),
        g,
        s,
        none,
        np.empty((len(keys), 0), dtype=np.int64),
        block.n,
        {METRIC: block},
    )
    return CellData(cells, (METRIC,), {}, same_split=True)


def read(data: CellData) -> tuple[OutcomeReport, Comparison]:
    """The outcome as the engine reports it."""
    outcome = compare_all(Design("variant", "control", (METRIC,)), data, Judgement())[0]
    return outcome, outcome.comparisons[0]
