"""Partial results that are shown while a study runs, and the naive ranking. Pure."""

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

# Partial results that are shown while a study runs, and their names. The report replaces them.
#
# Numbers, codes and texts, a few kilobytes each, so that a page may poll them every other second.

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
    """The cell that the study's rule chooses on the counted users, before any evidence.

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
        users: number of eligible users counted in the cells: all of them, or a sample drawn by `seed`.
        seed: of the study.
        behaviours: text forms.
        cells: one for each behaviour, or why it has none.
        retention_sampled: the population's retention is that of the counted users only.
    """

    population: Population
    users: int
    seed: int
    behaviours: tuple[str, ...]
    cells: tuple[NaiveCell | NotComputable, ...]
    retention_sampled: bool = False

    @property
    def sampled(self) -> bool:
        """True while the exact counts are missing."""
        return self.users < self.population.eligible


@dataclass(frozen=True)
class Marked:
    """Codes of the marks of each behaviour; behaviours without a mark are left out."""

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
    """The behaviours' ranks in the model, or why there are none."""

    ranks: dict[str, Place]
    missing: NotComputable | None


@dataclass(frozen=True)
class Jump:
    """Verdict of the step test for a behaviour, and the number of times used for it."""

    verdict: StepVerdict
    smooth_range: SmoothRange | None
    reason: NotComputable | None
    levels_off: LevelsOff | None = None


@dataclass(frozen=True)
class Jumps:
    """Per behaviour the step test's verdict (None for negative controls, which aren't tested), and the cell used."""

    jumps: dict[str, Jump | None]
    taken: dict[str, Pick | NotComputable]


@dataclass(frozen=True)
class Followed:
    """The candidates whose difference is being adjusted, in no meaningful order yet."""

    behaviours: tuple[str, ...]


@dataclass(frozen=True)
class Left:
    """A candidate's adjusted difference: the headline rung of its ladder."""

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
    """Verdicts of the step test, and the cells used."""
    jumps = {row.behaviour: None if row.step is None else _jump(row.step) for row in judged}
    return Jumps(jumps, {row.behaviour: row.chosen for row in judged})


def _jump(step: Step) -> Jump:
    return Jump(step.verdict, step.smooth_range, step.reason, step.levels_off)


# The naive ranking: for every behaviour the cell that the rule chooses, the largest raw difference first. Pure.
#
# Without hold-out and without resampling, so it shows mere correlation and is optimistic.


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
    """The cells of a result of `aha.study.queries.histogram`, with the times that `aha.study.grid.thresholds` gives.

    Args:
        rows: the result.
        names: of all behaviours.
        days: the Y values, ascending.
        most: the largest Z, as in the study's inputs.
        users, kept: number of users in the result, and how many of them were retained.
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
    """The index of the best cell with a recommended reach; ties go to the fewest times, then to the larger J."""
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
