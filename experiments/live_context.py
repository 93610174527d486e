"""What the checks of a stored experiment look at, and the planned shares of its arms. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from events.reasons import NotComputable
from experiments.answers import Answers
from experiments.readout import FirstStage, Planned, Standing
from experiments.stats.results import Estimate
from experiments.stats.srm import SampleRatio, sample_ratio


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
        min_first_stage: smallest first stage worth dividing by.
    """

    plan: Planned
    answers: Answers
    standing: Standing
    audit: Audit
    sample_ratio: SampleRatio | NotComputable
    first_stage: tuple[FirstStage, ...]
    guardrails: Mapping[tuple[str, str], Estimate | NotComputable]
    running: bool
    min_first_stage: float
    today: date


def expected_shares(plan: Planned, answers: Answers) -> dict[str, float]:
    """Planned share of each arm among the exposed units, given how many came from each segment."""
    cells = answers.cells
    by_segment = np.bincount(cells.segment, weights=cells.exposed, minlength=len(cells.segments))
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
    return sample_ratio(exposed_by_arm(answers), expected_shares(plan, answers))


def exposed_by_arm(answers: Answers) -> dict[str, int]:
    """Units that met exactly one planned variant."""
    return units_in(answers, np.ones(len(answers.cells.exposed), dtype=bool))


def units_in(answers: Answers, kept: np.ndarray) -> dict[str, int]:
    """Exposed units of some cells, by arm."""
    cells = answers.cells
    sums = np.bincount(cells.variant[kept], weights=cells.exposed[kept], minlength=len(cells.variants))
    return {label: int(n) for label, n in zip(cells.variants, sums, strict=True)}
