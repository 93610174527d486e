"""Parts of a study that are shown before its end, and the naive ranking. They are no result. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from aha.evidence.aipw import Difference
from aha.study.cell_metrics import RECOMMENDED_REACH, Number, describe, jaccard
from aha.study.choice import Choosing, Pick, Rule
from aha.study.grid import Cells, Ints, cells_of_histogram, codes, times_of
from aha.study.null import Null
from aha.study.result import Judged, Model, Population
from aha.study.step import LevelsOff, SmoothRange, Step, StepVerdict
from stats.results import NotComputable, Reason, computable

# The parts of a study that are shown before its end, and their names. They are no result: the report replaces them.
#
# Numbers, codes and texts, a few kilobytes each, so that a page may ask for them every other second.

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


# The naive ranking: of every behaviour the cell that the rule likes best, the largest raw difference first. Pure.
#
# Nobody is set aside to judge and nothing is resampled, so it is what the correlation promises and no more.


def counted(cells: Cells, population: Population, *, rule: str, users: int, seed: int) -> Counted:
    """The naive ranking of some cells.

    Args:
        cells: of the users that were counted.
        population: who counts.
        rule: by which a cell is chosen: a `Rule`.
        users: how many users the cells count.
        seed: of the study.
    """
    picked = [_best(cells, place, rule) for place in range(len(cells.behaviours))]
    chosen = np.asarray([place for place in picked if place is not None], dtype=np.int64)
    found: dict[str, NaiveCell | NotComputable] = dict.fromkeys(
        cells.behaviours, NotComputable(Reason.NO_CELL_TO_RECOMMEND)
    )
    for row in describe(_only(cells, chosen), rng=np.random.default_rng(seed)):
        counts = (row.days, row.times, row.a, row.b, row.c, row.o)
        found[row.behaviour] = NaiveCell(*counts, row.ppv, row.retained_without, row.difference)
    order = sorted(found, key=lambda name: (-_size(found[name]), name))
    return Counted(population, users, seed, tuple(order), tuple(found[name] for name in order))


def cells_of_answer(
    rows: Mapping[str, npt.ArrayLike],
    names: Sequence[str],
    days: Sequence[int],
    most: int | None,
    users: int,
    kept: int,
) -> Cells:
    """The cells of an answer of `aha.study.queries.histogram`, with the times that `aha.study.grid.thresholds` gives.

    Args:
        rows: the answer.
        names: of all behaviours.
        days: the Y values, ascending.
        most: the largest Z, as a study asks for it.
        users, kept: how many users the answer is about, and how many of them were retained.
    """
    place = codes(np.asarray(rows["behaviour"]), names)
    last, units = np.asarray(rows[f"n_{days[-1]}"]), np.asarray(rows["units"])
    mine = [place == number for number in range(len(names))]
    times = tuple(times_of(np.repeat(last[one], units[one]), most) for one in mine)
    return cells_of_histogram(rows, behaviours=names, days=days, times=times, units=users, retained=kept)


def chances(found: Counted, cells: Cells, null: Null | NotComputable) -> Chances:
    """The adjusted p-values of the naive cells."""
    if not computable(null):
        return Chances({}, null)
    p_values: dict[str, float | None] = {}
    for name, cell in zip(found.behaviours, found.cells, strict=True):
        p = (
            float("nan")
            if isinstance(cell, NotComputable)
            else null.adjusted_p[cells.find(name, cell.days, cell.times)]
        )
        p_values[name] = None if np.isnan(p) else float(p)
    return Chances(p_values, None)


def _best(cells: Cells, behaviour: int, rule: str) -> int | None:
    """The place of the best cell with a recommended reach; of equals the fewest times, then the larger J."""
    low, high = RECOMMENDED_REACH
    mine = np.flatnonzero((cells.behaviour == behaviour) & (cells.reach >= low) & (cells.reach <= high))
    if not mine.size:
        return None
    a, b, c, o = (part[mine].astype(np.float64) for part in (cells.a, cells.b, cells.c, cells.o))
    order = np.lexsort((cells.days[mine], -jaccard(a, b, c), cells.times[mine]))
    score = Choosing(Rule(rule)).score(*(part[order] for part in (a, b, c, o)))
    return int(mine[order][np.argmax(score)])


def _only(cells: Cells, places: Ints) -> Cells:
    columns = (cells.behaviour, cells.days, cells.times, cells.a, cells.b, cells.c, cells.o)
    return Cells(cells.behaviours, *(column[places] for column in columns))


def _size(cell: NaiveCell | NotComputable) -> float:
    if isinstance(cell, NotComputable) or isinstance(cell.difference, NotComputable):
        return -inf
    return cell.difference.estimate
