"""One run of each proof: a world is read by the product's own functions, and held against its truth."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

import numpy as np

from benchmarks.several.worlds import (
    OUTCOME,
    Programme,
    TwoExperiments,
    programme,
    question,
    reading_on,
    two_experiments,
)
from events.windows import Clock
from experiments.analyse.holdout_report.holdout_lock import due
from experiments.analyse.holdout_report.holdout_question import HELD, REST
from experiments.analyse.holdout_report.holdout_read_out import read_holdout
from experiments.analyse.holdout_report.side_moments import moments_of
from experiments.analyse.holdout_report.sides import SideMoments
from experiments.analyse.overlap.overlap_gather import Side, met_of
from experiments.plan.question import Question
from stats.interaction import Interaction, interaction
from stats.results import NotComputable, computable
from stats.summaries import Joint, Mean
from stats.winners_curse import sum_selected
from tests.experiments.ask import opened

END = datetime.combine(reading_on(), time(), UTC)


@dataclass(frozen=True)
class HoldoutRun:
    """What one programme gave: truths and what was said, shares of units.

    Attributes:
        truth: what everything shipped did together; `found` with its limits `low` and `high`.
        winners: true sum of the three effects; `naive` and `shrunk` as they were summed, with their limits.
        broken: the sample ratio alarmed.
    """

    truth: float
    found: float
    low: float
    high: float
    winners: float
    naive: tuple[float, float, float]
    shrunk: tuple[float, float, float]
    broken: bool


def holdout_run(seed: int, units: int) -> HoldoutRun:
    """One programme, read on the day that was planned."""
    world, asked = programme(seed, units), question(seed)
    at = due(asked, Clock(), END, ())
    sums = sum_selected(world.found.tolist(), world.errors.tolist(), world.shipped)
    report = read_holdout(asked, at, sides_of(world), earlier=(), shipped=(), sums=sums)
    difference = report.difference
    if difference is None or not computable(difference) or not computable(sums) or not computable(sums.shrunk):
        raise ValueError(f"seed {seed} can't be read: {difference}, {sums}")
    return HoldoutRun(
        truth=world.truth,
        found=difference.estimate,
        low=difference.low,
        high=difference.high,
        winners=float(world.effects[list(world.shipped)].sum()),
        naive=_three(sums.naive),
        shrunk=_three(sums.shrunk),
        broken=report.broken,
    )


def sides_of(world: Programme) -> SideMoments:
    """The moments of both sides, counted from the world itself: everybody's outcome is known on that day."""
    sides = {HELD: world.stays[world.held], REST: world.stays[~world.held]}
    return SideMoments(
        units={side: len(values) for side, values in sides.items()},
        outcome={side: Joint.from_columns(values[:, None].astype(np.float64)) for side, values in sides.items()},
    )


def sides_by_warehouse(world: Programme, seed: int) -> SideMoments:
    """The same as the product asks it of the log."""
    asked = question(seed)
    with opened(world.log(), END, Clock()) as questions:
        return moments_of(questions, asked, due(asked, Clock(), END, ()).until)


def interaction_run(seed: int, units: int, *, added: float, planned_units: int | None = None) -> Interaction:
    """Two experiments on the same users, by the outcome of the first."""
    found = interaction(cells_of(two_experiments(seed, units, added=added)), planned_units=planned_units)
    if isinstance(found, NotComputable):
        raise ValueError(f"seed {seed} can't be tested: {found}")
    return found


def cells_of(world: TwoExperiments) -> list[list[Mean]]:
    """The cells of the first's outcome, counted from the world itself."""
    return [
        [Mean.from_values(world.stays[(world.first == one) & (world.second == other)]) for other in (False, True)]
        for one in (False, True)
    ]


def cells_by_warehouse(world: TwoExperiments) -> list[list[Mean]] | NotComputable:
    """The same as the product asks it of the log."""
    sides = [Side(Question(key, ("control", "nudge"), (OUTCOME,), None), None) for key in ("first", "second")]
    with opened(world.log(), END, Clock()) as questions, met_of(questions, sides) as met:
        return met.cells("first", "second", END)


def _three(found: Any) -> tuple[float, float, float]:
    return found.estimate, found.low, found.high
