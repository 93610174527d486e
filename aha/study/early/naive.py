"""The naive ranking: of every behaviour the cell that the rule likes best, the largest raw difference first. Pure.

Nobody is set aside to judge and nothing is resampled, so it is what the correlation promises and no more.
"""

from collections.abc import Mapping, Sequence
from math import inf

import numpy as np
import numpy.typing as npt

from aha.study.cell_metrics import RECOMMENDED_REACH, describe, jaccard
from aha.study.choice import Choosing, Rule
from aha.study.early.parts import Chances, Counted, NaiveCell
from aha.study.grid import Cells, Ints, cells_of_histogram, codes, times_of
from aha.study.null import Null
from aha.study.result import Population
from stats.results import NotComputable, Reason, computable


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
