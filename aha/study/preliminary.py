"""Partial results that are shown while a study runs, and the naive ranking. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from aha.evidence.aipw import Difference
from aha.study.cells import Cell, Cells, describe
from aha.study.choice import Choosing, Pick, Rule, choosable
from aha.study.grid import cells_of_histogram, codes, times_of
from aha.study.null import Null
from aha.study.result import Judged, Model, Population
from aha.study.step import LevelsOff, SmoothRange, Step, StepVerdict
from stats.results import NotComputable, Reason, computable

# Partial results that are shown while a study runs, and their names. The report replaces them.
#
# Numbers, codes and texts, at most some dozen kilobytes each, so that a page may poll them every other second.

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
class Counted:
    """The counts of every behaviour in the order of the naive ranking: the largest raw difference first.

    Attributes:
        population: who counts.
        users: number of eligible users counted in the cells: all of them, or a sample drawn by `seed`.
        seed: of the study.
        behaviours: text forms.
        cells: for each behaviour the one that the study's rule chooses on the counted users, or why it has none.
        retention_sampled: the population's retention is that of the counted users only.
    """

    population: Population
    users: int
    seed: int
    behaviours: tuple[str, ...]
    cells: tuple[Cell | NotComputable, ...]
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
    ranking = model if not computable(model) else model.ranking
    if isinstance(ranking, NotComputable):
        return Places({}, ranking)
    return Places(
        {row.name: Place(row.rank, row.rank_low, row.rank_high) for row in ranking if row.kind == "behaviour"}, None
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


def counted(
    cells: Cells, behaviours: Sequence[str], population: Population, *, rule: str, users: int, seed: int
) -> Counted:
    """The naive ranking of some cells.

    Args:
        cells: of the users that were counted.
        behaviours: text forms of the study's behaviours.
        population: who counts.
        rule: by which a cell is chosen: a `Rule`.
        users: how many users the cells count.
        seed: of the study.
    """
    picked = [_best(cells, number, rule) for number in range(len(behaviours))]
    best = cells.take([place for place in picked if place is not None])
    by_name: dict[str, Cell | NotComputable] = dict.fromkeys(behaviours, NotComputable(Reason.NO_CELL_TO_RECOMMEND))
    by_name |= {cell.behaviour: cell for cell in describe(best, behaviours, rng=np.random.default_rng(seed))}
    order = sorted(by_name, key=lambda name: (-_size(by_name[name]), name))
    return Counted(population, users, seed, tuple(order), tuple(by_name[name] for name in order))


def cells_of_answer(
    rows: Mapping[str, npt.ArrayLike],
    names: Sequence[str],
    days: Sequence[int],
    most: int | None,
    users: int,
    retained: int,
) -> Cells:
    """The cells of a result of `aha.study.queries.histogram`, with the times that `aha.study.grid.thresholds` gives.

    Args:
        rows: the result.
        names: of all behaviours.
        days: the Y values, ascending.
        most: the largest Z, as in the study's inputs.
        users, retained: number of users in the result, and how many of them were retained.
    """
    place = codes(np.asarray(rows["behaviour"]), names)
    last, units = np.asarray(rows[f"n_{days[-1]}"]), np.asarray(rows["units"])
    mine = [place == number for number in range(len(names))]
    times = tuple(times_of(np.repeat(last[mask], units[mask]), most) for mask in mine)
    return cells_of_histogram(rows, behaviours=names, days=days, times=times, units=users, retained=retained)


def chances(counts: Counted, cells: Cells, behaviours: Sequence[str], null: Null | NotComputable) -> Chances:
    """The adjusted p-values of the naive cells."""
    if not computable(null):
        return Chances({}, null)
    p_values: dict[str, float | None] = {}
    for name, cell in zip(counts.behaviours, counts.cells, strict=True):
        p = (
            float("nan")
            if isinstance(cell, NotComputable)
            else null.adjusted_p[cells.find(behaviours.index(name), cell.days, cell.times)]
        )
        p_values[name] = None if np.isnan(p) else float(p)
    return Chances(p_values, None)


def _best(cells: Cells, behaviour: int, rule: str) -> int | None:
    """The best cell with a recommended reach."""
    mine = choosable(cells, behaviour)
    if not mine.size:
        return None
    return int(mine[np.argmax(Choosing(Rule(rule)).score(*cells.counts[:, mine].astype(np.float64)))])


def _size(cell: Cell | NotComputable) -> float:
    if isinstance(cell, NotComputable) or isinstance(cell.difference, NotComputable):
        return -inf
    return cell.difference.estimate
