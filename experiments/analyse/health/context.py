"""What the checks of a stored experiment look at, and the planned shares of its arms. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from scipy import stats

from experiments.analyse.comparator import Comparator, Stages
from experiments.analyse.gather.answers import Answers, Cells
from experiments.analyse.result import FirstStage, LookTaken, Standing
from experiments.plan.planned import Planned
from stats.results import Estimate, NotComputable, Reason, computable
from stats.srm import SampleRatio, sample_ratio


@dataclass(frozen=True)
class Audit:
    """What the database says of the assignments.

    Attributes:
        checked: stored assignments whose draw was computed again.
        differ: of these, with another arm than the draw's.
        assigned: assigned units by arm, exposed or not.
    """

    checked: int
    differ: int
    assigned: Mapping[str, int]


@dataclass(frozen=True)
class Context:
    """All that a check may look at.

    Attributes:
        guardrails: by guardrail outcome and variant, the difference as any look may read it.
        running: units may still be enrolled.
        earlier: looks taken before, oldest first.
        comparators: what each arm is compared with, control or the placebo.
    """

    plan: Planned
    answers: Answers
    standing: Standing
    audit: Audit
    sample_ratio: SampleRatio | NotComputable
    first_stage: tuple[FirstStage, ...]
    guardrails: Mapping[tuple[str, str], Estimate | NotComputable]
    running: bool
    today: date
    earlier: tuple[LookTaken, ...] = ()
    comparators: Mapping[str, Comparator] = field(default_factory=dict)


def stages_known(found: tuple[FirstStage, ...], alpha: float) -> Stages:
    """First stage of each arm with its interval at level 1 - 2 alpha, of all units whose behaviour window is over."""
    return {row.variant: _stage(row, alpha) for row in found}


def _stage(row: FirstStage, alpha: float) -> Estimate | NotComputable:
    moved = row.take_up
    if not computable(moved):
        return moved
    error = moved.standard_error
    if error <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    half = float(stats.norm.isf(min(alpha, 0.499))) * error
    p_value = 2 * float(stats.norm.sf(abs(moved.difference) / error))
    low, high = moved.difference - half, moved.difference + half
    return Estimate(moved.difference, error, low, high, p_value, 1 - 2 * alpha, "first-stage")


def expected_shares(plan: Planned, cells: Cells, units: np.ndarray | None = None) -> dict[str, float]:
    """Planned share of each arm, given how many units came from each segment.

    Args:
        plan: with its shares by segment.
        cells: of the warehouse.
        units: per cell, those that are counted; None for all exposed ones. Mature units, or those of one week, may have
            another mix of segments than all.
    """
    counted = cells.exposed if units is None else units
    by_segment = np.bincount(cells.segment, weights=counted, minlength=len(cells.segments))
    total = max(float(by_segment.sum()), 1.0)
    shares = np.zeros(len(plan.variants))
    for label, n in zip(cells.segments, by_segment, strict=True):
        shares += n / total * np.asarray(segment_shares(plan, label))
    return dict(zip(plan.variants, (shares if by_segment.sum() else shares + 1 / len(shares)).tolist(), strict=True))


def segment_shares(plan: Planned, segment: str) -> tuple[float, ...]:
    """Planned share of each arm in one segment; exposures without one follow the row for everyone."""
    found = plan.shares.get(segment) or plan.shares.get("")
    return found if found is not None else next(iter(plan.shares.values()))


def split_of(plan: Planned, answers: Answers) -> SampleRatio | NotComputable:
    """The sample-ratio test of all exposed units."""
    return sample_ratio(exposed_by_arm(answers), expected_shares(plan, answers.cells))


def exposed_by_arm(answers: Answers) -> dict[str, int]:
    """Units that met exactly one planned variant."""
    return units_in(answers, np.ones(len(answers.cells.exposed), dtype=bool))


def units_in(answers: Answers, kept: np.ndarray) -> dict[str, int]:
    """Exposed units of some cells, by arm."""
    cells = answers.cells
    sums = np.bincount(cells.variant[kept], weights=cells.exposed[kept], minlength=len(cells.variants))
    return {label: int(n) for label, n in zip(cells.variants, sums, strict=True)}


def mature_units(plan: Planned, cells: Cells) -> np.ndarray:
    """Units per cell with every primary outcome known."""
    blocks = [cells.blocks[name].n for name in plan.primary if name in cells.blocks]
    return np.minimum.reduce(blocks) if blocks else np.zeros_like(cells.exposed)
