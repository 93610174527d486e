"""The parts of a study that are shown before its end, and their names. They are no result: the report replaces them.

Numbers, codes and texts, a few kilobytes each, so that a page may ask for them every other second.
"""

from dataclasses import dataclass

from aha.evidence.aipw import Difference
from aha.study.cell_metrics import Number
from aha.study.choice import Pick
from aha.study.result import Judged, Model, Population
from aha.study.step import LevelsOff, SmoothRange, Step, StepVerdict
from stats.results import NotComputable, computable

COUNTED, MARKED, LUCK, ACTIVE, MODEL, JUMPS, FOLLOWED = (
    "counted",
    "marked",
    "luck",
    "active",
    "model",
    "jumps",
    "followed",
)
LEFT = "left "  # before the name of a behaviour


@dataclass(frozen=True)
class NaiveCell:
    """The cell that the study's rule likes best among the counted users, before any evidence.

    Attributes:
        days, times: Y and Z.
        a, b, c, o: stayed without, did and stayed, did and left, neither.
        did, other: share retained of those who did it and of the others, 0 to 1.
        difference: `did` minus `other`, -1 to 1: mere correlation.
    """

    days: int
    times: int
    a: int
    b: int
    c: int
    o: int
    did: Number
    other: Number
    difference: Number


@dataclass(frozen=True)
class Counted:
    """The counts of every behaviour in the order of the naive ranking: the largest raw difference first.

    Attributes:
        population: who counts.
        users: how many of the eligible the cells below count: all of them, or a sample drawn by `seed`.
        seed: of the study.
        behaviours: text forms.
        cells: one for each behaviour, or why it has none.
        retention_sampled: what the population tells of retention is that of the counted users alone.
    """

    population: Population
    users: int
    seed: int
    behaviours: tuple[str, ...]
    cells: tuple[NaiveCell | NotComputable, ...]
    retention_sampled: bool = False

    @property
    def sampled(self) -> bool:
        """The exact counts are still to come."""
        return self.users < self.population.eligible


@dataclass(frozen=True)
class Marked:
    """Codes of the marks of each behaviour; those without a mark are missing."""

    codes: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Chances:
    """One null: the adjusted p-value of each behaviour's naive cell, or why there is none."""

    p_values: dict[str, float | None]
    missing: NotComputable | None


@dataclass(frozen=True)
class Place:
    """Rank of the group of a behaviour in the model, with its 2.5-97.5 % range."""

    rank: int
    low: int
    high: int


@dataclass(frozen=True)
class Places:
    """Where the model ranks the behaviours, or why it ranks none."""

    ranks: dict[str, Place]
    missing: NotComputable | None


@dataclass(frozen=True)
class Jump:
    """What can be said about a jump of retention, and the number that was taken for the behaviour."""

    verdict: StepVerdict
    smooth_range: SmoothRange | None
    reason: NotComputable | None
    levels_off: LevelsOff | None = None


@dataclass(frozen=True)
class Jumps:
    """Per behaviour: whether retention jumps (None for negative controls, which aren't tested), and what was taken."""

    jumps: dict[str, Jump | None]
    taken: dict[str, Pick | NotComputable]


@dataclass(frozen=True)
class Followed:
    """The candidates whose difference is being adjusted, in no order that means anything yet."""

    behaviours: tuple[str, ...]


@dataclass(frozen=True)
class Left:
    """What is left of a candidate's difference when all is held equal: the rung that its study's page names."""

    days: int
    times: int
    difference: Difference | NotComputable


def places_of(model: Model | NotComputable) -> Places:
    """The ranks of the behaviours in a judged model."""
    found = model if not computable(model) else model.ranking
    if isinstance(found, NotComputable):
        return Places({}, found)
    return Places(
        {row.name: Place(row.rank, row.rank_low, row.rank_high) for row in found if row.kind == "behaviour"}, None
    )


def jumps_of(judged: tuple[Judged, ...]) -> Jumps:
    """What was found of jumps, and what was taken."""
    jumps = {row.behaviour: None if row.step is None else _jump(row.step) for row in judged}
    return Jumps(jumps, {row.behaviour: row.chosen for row in judged})


def _jump(step: Step) -> Jump:
    return Jump(step.verdict, step.smooth_range, step.reason, step.levels_off)
