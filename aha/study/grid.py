"""The feature table of a study and the counts of every cell: behaviour × days × times. Arrays in, arrays out.

A, B, C, O count the units of a cell (`aha.study.cells`): stayed without, did and stayed, did and left, neither. One
level per unit, behaviour and days says how many of the thresholds were reached; any sum over the doers of every cell
is then one sparse product and a cumulative sum, without a loop over users.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from aha.study.cells import Cells
from stats.flag_sums import sums_over_groups

Ints = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Names = npt.NDArray[np.object_]

DEFAULT_TIMES = 10
SIGNATURE_SEED = 20_260_101


@dataclass(frozen=True, eq=False)
class CountTable:
    """One row per eligible unit (or per unit of a sample). All behaviours share one population and one outcome.

    Attributes:
        behaviours: their text forms.
        days: the valid Y values, ascending; the last one is the landmark.
        unit_ids: names of the units.
        counts: units × behaviours × days, how often within that many days.
        retained: per unit.
        week: per unit, number of the signup week.
        segment: per unit, index into `segments`.
        segments: names of the segments; one empty name when there are none.
        active: units × days, different active days within that many days: activity after a cell's own window is never
            a covariate, since it may be a consequence of the behaviour.
    """

    behaviours: tuple[str, ...]
    days: tuple[int, ...]
    unit_ids: Names
    counts: Counts
    retained: Flags
    week: Ints
    segment: Ints
    segments: tuple[str, ...]
    active: Ints

    @property
    def n(self) -> int:
        """Number of units."""
        return int(self.retained.size)

    @property
    def active_days(self) -> Ints:
        """Per unit, different active days before the landmark."""
        return self.active[:, -1]

    def active_within(self, days: int) -> Ints:
        """Per unit, different active days within one of the table's Y values."""
        return self.active[:, self.days.index(days)]

    def take(self, rows: Ints | Flags) -> "CountTable":
        """The table restricted to some units."""
        return CountTable(
            self.behaviours,
            self.days,
            self.unit_ids[rows],
            self.counts[rows],
            self.retained[rows],
            self.week[rows],
            self.segment[rows],
            self.segments,
            self.active[rows],
        )

    def only(self, behaviours: Sequence[str]) -> "CountTable":
        """The table restricted to some behaviours, in the table's order."""
        places = [place for place, name in enumerate(self.behaviours) if name in set(behaviours)]
        return CountTable(
            tuple(self.behaviours[place] for place in places),
            self.days,
            self.unit_ids,
            self.counts[:, places],
            self.retained,
            self.week,
            self.segment,
            self.segments,
            self.active,
        )

    def strata(self, *, active_within: int | None = None) -> Ints:
        """Code of each unit's stratum, from 0: signup week × segment, and × active days within a Y if given."""
        columns = [self.week, self.segment, *([] if active_within is None else [self.active_within(active_within)])]
        return np.unique(joint(*columns), return_inverse=True)[1].reshape(-1).astype(np.int64)


def joint(*codes: Ints) -> Ints:
    """One number for each combination of codes, in the same order: sorting numbers is faster than sorting rows."""
    ranks = [np.unique(code, return_inverse=True)[1].reshape(-1) for code in codes]
    return np.asarray(np.ravel_multi_index(ranks, [1 + int(rank.max(initial=0)) for rank in ranks]), dtype=np.int64)


def build_table(
    *,
    behaviours: Sequence[str],
    days: Sequence[int],
    unit_ids: npt.ArrayLike,
    retained: npt.ArrayLike,
    week: npt.ArrayLike,
    active_days: npt.ArrayLike,
    rows: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    segment: Sequence[str] | None = None,
) -> CountTable:
    """Build the dense table from rows of the warehouse.

    Args:
        behaviours: text forms, in the table's order.
        days: the Y values, ascending.
        unit_ids: one per unit; a unit's index is its number in `rows`.
        retained: 0 or 1 per unit.
        week: number of the signup week per unit.
        active_days: units × days, as in `CountTable.active`; with one Y a number per unit is enough.
        rows: unit numbers, behaviour names, and counts (rows × days), without zero counts.
        segment: name per unit, or None.

    Raises:
        ValueError: when days don't ascend, a row names a behaviour that isn't listed, or active days lack a Y.
    """
    if list(days) != sorted(set(days)):
        raise ValueError(f"days must ascend, not {list(days)}")
    ids = np.asarray(unit_ids, dtype=np.object_)
    active = np.asarray(active_days).astype(np.int64)
    active = active[:, None] if active.ndim == 1 else active
    if active.shape != (ids.size, len(days)):
        raise ValueError(f"active_days needs a number for each of {ids.size} units and {len(days)} days")
    counts = np.zeros((ids.size, len(behaviours), len(days)), dtype=np.int32)
    unit, name, number = (np.asarray(part) for part in rows)
    counts[unit.astype(np.int64), codes(name, behaviours)] = number
    names, segment_codes = (
        ((""), np.zeros(ids.size)) if segment is None else np.unique(np.asarray(segment), return_inverse=True)
    )
    return CountTable(
        behaviours=tuple(behaviours),
        days=tuple(days),
        unit_ids=ids,
        counts=counts,
        retained=np.asarray(retained).astype(np.bool_),
        week=np.asarray(week).astype(np.int64),
        segment=segment_codes.astype(np.int64),
        segments=("",) if segment is None else tuple(str(name) for name in names),
        active=active,
    )


def codes(names: npt.NDArray[np.generic], listed: Sequence[str]) -> Ints:
    """The index of each name in the list."""
    place = {name: number for number, name in enumerate(listed)}
    values = names.tolist()  # looked up one by one: sorting millions of strings is many times slower
    try:
        return np.fromiter(map(place.__getitem__, values), dtype=np.int64, count=len(values))
    except KeyError:
        missing = sorted({str(name) for name in values if name not in place})
        raise ValueError(f"not listed: {', '.join(missing)}") from None


def thresholds(table: CountTable, max_times: int | None = None) -> tuple[tuple[int, ...], ...]:
    """The times (Z) to count, for each behaviour: 1 to `max_times`.

    Without `max_times`, 1 to 10; for a behaviour that a tenth of its doers do more than ten times, 1 and the rounded
    deciles of the doers' counts before the landmark.
    """
    return tuple(times_of(table.counts[:, place, -1], max_times) for place in range(len(table.behaviours)))


def times_of(counts: npt.NDArray[np.signedinteger], max_times: int | None = None) -> tuple[int, ...]:
    """The same for one behaviour, from its counts within the longest Y; zero counts may be missing."""
    if max_times is not None:
        if max_times < 1:
            raise ValueError(f"max_times must be 1 or more, not {max_times}")
        return tuple(range(1, max_times + 1))
    done = counts[counts > 0]
    deciles = np.quantile(done, np.arange(1, 10) / 10) if done.size else np.zeros(1)
    if deciles[-1] > DEFAULT_TIMES:
        return tuple(sorted({1, *(round(float(value)) for value in deciles)}))
    return tuple(range(1, DEFAULT_TIMES + 1))


@dataclass(frozen=True, eq=False)
class Levels:
    """The cells of a table as a sparse matrix, for sums over their doers.

    Attributes:
        behaviour, days, times: as in `Cells`.
        blocks: first cell of each behaviour × days; inside a block the times ascend.
        exact: cells × units, 1 where the cell's threshold is the highest one that the unit reached.
    """

    behaviour: Ints
    days: Ints
    times: Ints
    blocks: tuple[int, ...]
    exact: sparse.csr_array

    def sums(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Sums of each column over the doers of each cell: units × k becomes cells × k."""
        return self._from_the_top(np.asarray(self.exact @ values))

    def counts(self, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """The same for integers from 0 to 255, several times as fast: hundreds of shuffles are summed at once."""
        return self._from_the_top(sums_over_groups(self.exact.indptr, self.exact.indices, values))

    def _from_the_top[N: np.generic](self, result: npt.NDArray[N]) -> npt.NDArray[N]:
        for start, end in zip(self.blocks, (*self.blocks[1:], len(result)), strict=True):
            result[start:end] = np.cumsum(result[start:end][::-1], axis=0)[::-1]
        return result

    def within(self, days: int) -> tuple["Levels", Ints]:
        """The cells of one Y, and their indices among all."""
        starts = [start for start in self.blocks if self.days[start] == days]
        places = np.flatnonzero(self.days == days)
        blocks = np.searchsorted(places, starts).tolist()
        columns = (self.behaviour[places], self.days[places], self.times[places])
        return Levels(*columns, tuple(blocks), self.exact[places]), places

    @cached_property
    def representative(self) -> Ints:
        """For every cell the first cell with exactly the same doers, which may be the cell itself.

        Doers are compared by two sums of random whole numbers below 2^31, which float64 adds exactly.
        """
        rng = np.random.default_rng(SIGNATURE_SEED)
        marks = rng.integers(1, 2**31, size=(self.exact.shape[1], 2)).astype(np.float64)
        _, first, inverse = np.unique(self.sums(marks), axis=0, return_index=True, return_inverse=True)
        return np.asarray(first[inverse.reshape(-1)], dtype=np.int64)


def levels(table: CountTable, times: Sequence[Sequence[int]]) -> Levels:
    """Sort the units of a table into the levels of every behaviour and days.

    Args:
        table: the feature table.
        times: ascending Z values of each behaviour.
    """
    rows, columns, place = [], [], 0
    blocks: list[int] = []
    cells: list[tuple[int, int, int]] = []
    for behaviour, wanted in enumerate(times):
        for column, days in enumerate(table.days):
            reached = np.searchsorted(np.asarray(wanted), table.counts[:, behaviour, column], side="right")
            doers = np.flatnonzero(reached)
            rows.append((place + reached[doers] - 1).astype(np.int32))
            columns.append(doers.astype(np.int32))
            blocks.append(place)
            cells.extend((behaviour, days, z) for z in wanted)
            place += len(wanted)
    row, unit = np.concatenate(rows or [np.zeros(0, np.int32)]), np.concatenate(columns or [np.zeros(0, np.int32)])
    exact = sparse.coo_array((np.ones(row.size, dtype=np.float32), (row, unit)), shape=(place, table.n)).tocsr()
    which = np.asarray(cells, dtype=np.int64).reshape(-1, 3).T
    return Levels(which[0], which[1], which[2], tuple(blocks), exact)


def count_cells(grid: Levels, retained: Flags) -> Cells:
    """A, B, C, O of every cell, from a table's levels."""
    values = np.stack([np.ones(retained.size), retained], axis=1)
    did, stayed = np.rint(grid.sums(values)).astype(np.int64).T
    return _cells((grid.behaviour, grid.days, grid.times), did, stayed, retained.size, int(retained.sum()))


def cells_of_histogram(
    rows: Mapping[str, npt.ArrayLike],
    *,
    behaviours: Sequence[str],
    days: Sequence[int],
    times: Sequence[Sequence[int]],
    units: int,
    retained: int,
) -> Cells:
    """A, B, C, O of every cell, from the result of `aha.study.queries.histogram`.

    Args:
        rows: its columns ``behaviour, retained, units`` and ``n_Y``.
        behaviours, days: as in the query.
        times: ascending Z values of each behaviour, none above the histogram's cap.
        units: eligible units.
        retained: how many of them were retained.
    """
    place = codes(np.asarray(rows["behaviour"]), behaviours)
    weight, stayed = np.asarray(rows["units"], dtype=np.float64), np.asarray(rows["retained"]) > 0
    sums = []
    for behaviour, wanted in enumerate(times):
        mine = place == behaviour
        for y in days:
            reached = np.searchsorted(np.asarray(wanted), np.asarray(rows[f"n_{y}"])[mine], side="right")
            by = [np.bincount(reached, w, len(wanted) + 1) for w in (weight[mine], (weight * stayed)[mine])]
            sums.append(np.stack([np.cumsum(part[:0:-1])[::-1] for part in by]))
    did, both = np.rint(np.concatenate(sums, axis=1)).astype(np.int64)
    cells = [(b, y, z) for b, wanted in enumerate(times) for y in days for z in wanted]
    return _cells(np.asarray(cells, dtype=np.int64).reshape(-1, 3).T, did, both, units, retained)


def _cells(which: Iterable[Ints], did: Ints, stayed: Ints, units: int, retained: int) -> Cells:
    """The cells of some behaviours, days and times, from their doers and those of them who stayed."""
    left = did - stayed
    columns = (*which, retained - stayed, stayed, left, units - retained - left)
    return Cells(*(tuple(column.tolist()) for column in columns))
