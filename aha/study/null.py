"""Test whether the grid's best cell beats chance: max-T permutation within strata (Westfall and Young 1993).

The first null shuffles retention within signup week × segment. The second also stratifies by the number of active days
and is the useful one: activity alone passes the first. Active days are those of each cell's own window: later days come
after the behaviour, and stratifying by them would remove its effect.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from aha.study.cells import NULL_REACH
from aha.study.grid import CountTable, Flags, Floats, Ints, Levels
from runs.parallel import each
from runs.progress import Progress, silent
from runs.refusals import Refused
from stats.flag_sums import first_of_each_stratum
from stats.results import NotComputable, Reason

PERMUTATIONS = 1_000
BLOCK = 200
SHUFFLES_AT_ONCE = 128  # in memory of each worker: 150 MB with 200,000 units
LEAST_UNITS, LEAST_PER_OUTCOME = 200, 50


@dataclass(frozen=True, eq=False)
class Null:
    """One whole-grid null. Arrays have one entry per cell unless stated otherwise; NaN marks a cell outside the null.

    Attributes:
        by_activity: whether the strata include the active days of the cell's window.
        permutations: number of shuffles.
        tested: number of distinct cells in the null.
        z: the stratified statistic, positive when doers stay more; z² is Cochran-Mantel-Haenszel's.
        adjusted_p: (1 + shuffles whose largest |z| reaches this |z|) / (permutations + 1).
        maxima: per shuffle, the largest |z| of the grid.
    """

    by_activity: bool
    permutations: int
    tested: int
    z: Floats
    adjusted_p: Floats
    maxima: Floats

    @property
    def smallest_p(self) -> float:
        """The adjusted p-value of the grid's best cell."""
        return float(np.nanmin(self.adjusted_p))

    def histogram(self, bins: int = 40) -> tuple[list[float], list[int]]:
        """Edges and counts of the largest |z| under the null, for the chart beside the observed value."""
        counts, edges = np.histogram(self.maxima, bins=bins)
        return edges.tolist(), counts.tolist()


def enough(retained: Flags) -> NotComputable | None:
    """The minimum of a study: 200 eligible units, 50 retained, 50 not; None when reached. Only the margins count."""
    return enough_of(int(retained.size), int(retained.sum()))


def enough_of(n: int, stayed: int) -> NotComputable | None:
    """The same from two counts: eligible units, and those of them that were retained."""
    if n >= LEAST_UNITS and min(stayed, n - stayed) >= LEAST_PER_OUTCOME:
        return None
    return NotComputable(
        Reason.STUDY_TOO_SMALL, {"n": n, "retained": stayed, "needed": LEAST_UNITS, "needed_each": LEAST_PER_OUTCOME}
    )


def too_small(missing: NotComputable) -> Refused:
    """The result of `enough` as a refusal with its numbers."""
    numbers = missing.details
    return Refused(
        "{retained:,} of {n:,} users were retained; a study needs at least {needed} users, {needed_each} who were "
        "retained and {needed_each} who were not.",
        at="retention",
        retained=numbers["retained"],
        n=numbers["n"],
        needed=numbers["needed"],
        needed_each=numbers["needed_each"],
    )


def grid_null(
    table: CountTable,
    grid: Levels,
    *,
    rng: np.random.Generator,
    by_activity: bool = False,
    permutations: int = PERMUTATIONS,
    progress: Progress = silent,
) -> Null | NotComputable:
    """Compare every cell with the grid's best cell when retention is shuffled within strata.

    Args:
        table: at most 200,000 units.
        grid: the levels of this table.
        rng: for the shuffles.
        by_activity: strata are also cut by active days within each cell's own days.
        permutations: at least 1,000 for a result that is shown.
        progress: called with the stage and the share done, 0 to 1.

    Returns:
        The null, or why there is none: too few units, or no cell with a reach between 2 % and 98 %.
    """
    missing = enough(table.retained)
    if missing:
        return missing
    tests = _tests(table, grid, by_activity=by_activity)
    tested = sum(int(test.places.size) for test in tests)
    if not tested:
        return NotComputable(Reason.NO_CELL_TO_TEST)
    maxima = _maxima(table.retained, tests, permutations, rng, progress)
    z = np.full(grid.times.size, np.nan)
    for test in tests:
        z[test.among] = np.where(test.moments.enters, test.moments.z, np.nan)
    # A shuffle that ties with the data must count as reaching it, despite rounding.
    reached = permutations - np.searchsorted(np.sort(maxima), np.abs(z) * (1 - 1e-9), side="left")
    p = np.where(np.isnan(z), np.nan, (1 + reached) / (permutations + 1))
    return Null(by_activity, permutations, tested, z, p, maxima)


@dataclass(frozen=True, eq=False)
class _Together:
    """Cells with the same strata: their levels, their indices in the whole grid, and which of them are tested."""

    grid: Levels
    among: Ints
    moments: "Moments"
    places: Ints


def _tests(table: CountTable, grid: Levels, *, by_activity: bool) -> list[_Together]:
    """All cells as one group, or a group per Y with its strata; cells with equal doers are tested once per group."""
    groups = (
        [(table.strata(active_within=days), *grid.within(days)) for days in table.days]
        if by_activity
        else [(table.strata(), grid, np.arange(grid.times.size))]
    )
    tests = []
    for strata, cells, among in groups:
        moments = stratified_moments(cells, table.retained, strata)
        places = np.flatnonzero(moments.enters & (cells.representative == np.arange(cells.times.size)))
        tests.append(_Together(cells, among, moments, places))
    return tests


def _largest(test: _Together, retained: Flags, orders: npt.NDArray[np.int32]) -> Floats:
    """Per order of the units the largest |z| of these cells; 0 when none is tested."""
    if not test.places.size:
        return np.zeros(len(orders))
    strata = test.moments.strata
    shuffled = first_of_each_stratum(orders, strata, np.bincount(strata, weights=retained).astype(np.int64))
    expected, sd = test.moments.expected[test.places, None], test.moments.sd[test.places, None]
    return np.asarray(np.abs((test.grid.counts(shuffled)[test.places] - expected) / sd).max(axis=0))


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and deviation of B under shuffling within strata, per cell; `enters` says which cells can be tested."""

    strata: Ints
    z: Floats
    expected: Floats
    sd: Floats
    enters: Flags


def stratified_moments(grid: Levels, retained: Flags, strata: Ints) -> Moments:
    """The Mantel-Haenszel statistic of every cell. With one stratum z² = (n - 1) phi².

    Raw phi must not be used with shuffles inside strata: it isn't centred at 0 there.
    """
    n = retained.size
    member = sparse.csr_array((np.ones(n), (np.arange(n), strata)))
    size, stayed = member.T @ np.ones(n), member.T @ retained.astype(np.float64)
    did = grid.sums(member.toarray()) if member.shape[1] < 64 else _sums_by_block(grid, member)
    counted = size > 1
    rate = stayed / size
    weight = np.where(counted, rate * (size - stayed) / (size * np.maximum(size - 1, 1)), 0.0)
    expected = did @ rate
    variance = (did * (size - did)) @ weight
    observed = grid.sums(retained.astype(np.float64)[:, None])[:, 0]
    reach = did.sum(axis=1) / n
    enters = (variance > 1e-9) & (reach >= NULL_REACH[0]) & (reach <= NULL_REACH[1])
    sd = np.sqrt(np.maximum(variance, 1e-300))
    return Moments(strata, (observed - expected) / sd, expected, sd, enters)


def _sums_by_block(grid: Levels, member: sparse.csr_array) -> Floats:
    columns = member.tocsc()
    parts = [grid.sums(columns[:, start : start + BLOCK].toarray()) for start in range(0, member.shape[1], BLOCK)]
    return np.concatenate(parts, axis=1)


def _maxima(
    retained: Flags, tests: list[_Together], permutations: int, rng: np.random.Generator, progress: Progress
) -> Floats:
    """Per shuffle the largest |z| of all cells.

    One random order of the units is used for all kinds of strata: in each stratum its first units stay, as many as did.
    Each kind is so shuffled uniformly, with the correlation between them that comes from sharing one outcome.
    """

    def largest(orders: npt.NDArray[np.int32], inner: Progress) -> Floats:
        inner("null", 0.0)
        return np.asarray(np.max([_largest(test, retained, orders) for test in tests], axis=0))

    blocks = -(-permutations // SHUFFLES_AT_ONCE)
    maxima = each(_orders(retained.size, permutations, rng), largest, of=blocks, progress=progress)
    progress("null", 1.0)
    return np.concatenate(maxima)


def _orders(n: int, permutations: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int32]]:
    for start in range(0, permutations, SHUFFLES_AT_ONCE):
        width = min(SHUFFLES_AT_ONCE, permutations - start)
        yield np.array([rng.permutation(n) for _ in range(width)], dtype=np.int32)
