"""The cell of a study, "did the behaviour at least `times` times within `days` days": its counts and its metrics.

`Cell` is one cell. `Cells` are the counts of many as columns, and `Grid` adds the metrics; `describe` and `cells_at`
take the records from them. The vectorised functions work on arrays of counts and give NaN where a denominator is 0; a
record has `NotComputable` there and a column None, so no result of this package has NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import stats

from aha.study.numbers import Interval, Number
from stats.results import NotComputable, Reason
from stats.score import newcombe_limits, share, wilson_limits

Numbers = npt.NDArray[np.number]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
type Column = tuple[float | None, ...]
type Measured = dict[str, tuple[Floats, ...]]

# Reach of recommended cells, and of cells in the null: both groups must be large enough to compare.
RECOMMENDED_REACH = (0.05, 0.80)
NULL_REACH = (0.02, 0.98)
PHI_DRAWS = 500


@dataclass(frozen=True)
class Cell:
    """One cell with all metrics that a page shows. Shares are 0 to 1; n = A + B + C + O.

    Attributes:
        behaviour, days, times: the cell.
        a, b, c, o: stayed without, did and stayed, did and left, neither.
        base: share retained of all. reach: share that did it.
        ppv: share retained of the doers. retained_without: of the others (FOR). npv: 1 minus that.
        recall: share of the retained that did it. specificity: share of the leavers that did not.
        j: B / (A + B + C). f1: 2J / (1 + J). youden: recall + specificity - 1. phi: the Matthews correlation.
        difference: ppv - retained_without, -1 to 1, positive when doers stay more. ratio: their quotient.
        odds_ratio: BO / AC.
        beats_everybody: J above base, which is the J of "everybody".
    """

    behaviour: str
    days: int
    times: int
    a: int
    b: int
    c: int
    o: int
    base: Number
    reach: Number
    ppv: Number
    retained_without: Number
    npv: Number
    recall: Number
    specificity: Number
    j: Number
    f1: float | NotComputable
    youden: float | NotComputable
    phi: Number
    difference: Number
    ratio: Number
    odds_ratio: Number
    beats_everybody: bool

    @property
    def n(self) -> int:
        """All users counted."""
        return self.a + self.b + self.c + self.o

    @property
    def union(self) -> int:
        """Those who did it or stayed: A + B + C."""
        return self.a + self.b + self.c


@dataclass(frozen=True)
class Cells:
    """The counts of cells as columns, ordered by behaviour, days, times.

    Attributes:
        behaviour: index into the study's behaviours.
        days, times, a, b, c, o: as in `Cell`.
    """

    behaviour: tuple[int, ...]
    days: tuple[int, ...]
    times: tuple[int, ...]
    a: tuple[int, ...]
    b: tuple[int, ...]
    c: tuple[int, ...]
    o: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.a)

    @cached_property
    def counts(self) -> Ints:
        """A, B, C, O as arrays: 4 × cells."""
        return np.array([self.a, self.b, self.c, self.o], dtype=np.int64)

    @cached_property
    def recommended(self) -> Flags:
        """Whether a cell's reach is that of recommended cells."""
        a, b, c, o = self.counts
        reach = (b + c) / np.maximum(a + b + c + o, 1)
        return np.asarray((reach >= RECOMMENDED_REACH[0]) & (reach <= RECOMMENDED_REACH[1]))

    def find(self, behaviour: int, days: int, times: int) -> int:
        """The place of one cell.

        Raises:
            KeyError: when it wasn't counted.
        """
        keys = zip(self.behaviour, self.days, self.times, strict=True)
        place = next((place for place, key in enumerate(keys) if key == (behaviour, days, times)), None)
        if place is None:
            raise KeyError(f"behaviour {behaviour} at least {times} times within {days} days was not counted")
        return place

    def take(self, places: Sequence[int]) -> Self:
        """Some of the cells, in the order of `places`."""
        columns: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self)(**{name: tuple(column[place] for place in places) for name, column in columns.items()})


@dataclass(frozen=True)
class Grid(Cells):
    """All computed cells with their metrics. Exact: they count every eligible unit.

    None in a column of numbers means that the cell has no such number: no denominator, or, for the p-values, a reach
    outside 2-98 % or a study below the floors (`Nulls` has the reason).

    Attributes:
        reach, ppv, retained_without, recall: shares, 0 to 1.
        j, phi, youden, difference: with `_low` and `_high` where they have an interval (95 %, per cell).
        p_luck: adjusted p of the first null, shuffled within signup week × segment.
        p_active: adjusted p of the second null, also within active days: "beats equally active users".
        z_luck, z_active: their statistics, positive when doers stay more.
        beats_everybody: J above the base rate, which is the J of "everybody".
    """

    reach: Column
    ppv: Column
    retained_without: Column
    recall: Column
    youden: Column
    j: Column
    j_low: Column
    j_high: Column
    phi: Column
    phi_low: Column
    phi_high: Column
    difference: Column
    difference_low: Column
    difference_high: Column
    p_luck: Column
    p_active: Column
    z_luck: Column
    z_active: Column
    beats_everybody: tuple[bool, ...]


def jaccard(a: Numbers, b: Numbers, c: Numbers) -> Floats:
    """J = B / (A + B + C), 0 to 1: how far "did it" and "stayed" are the same people."""
    return share(b, np.asarray(a) + b + c)


def phi(a: Numbers, b: Numbers, c: Numbers, o: Numbers) -> Floats:
    """The Matthews correlation of doing and staying, -1 to 1. n phi² is Pearson's chi-square. Source: Yule 1912."""
    a, b, c, o = (np.asarray(part, dtype=np.float64) for part in (a, b, c, o))
    # Roots first: the product of four margins overflows float32 for a million units, and int64 above ten million.
    scale = np.sqrt(b + c) * np.sqrt(a + o) * np.sqrt(a + b) * np.sqrt(c + o)
    return np.asarray(np.divide(b * o - a * c, scale, out=np.full(np.shape(scale), np.nan), where=scale > 0))


def youden(a: Numbers, b: Numbers, c: Numbers, o: Numbers) -> Floats:
    """recall + specificity - 1, -1 to 1. Source: Youden 1950."""
    return share(b, np.asarray(a) + b) + share(o, np.asarray(c) + o) - 1


def risk_difference(a: Numbers, b: Numbers, c: Numbers, o: Numbers) -> Floats:
    """Retention of doers minus retention of the others, -1 to 1."""
    return share(b, np.asarray(b) + c) - share(a, np.asarray(a) + o)


def risk_ratio(a: Numbers, b: Numbers, c: Numbers, o: Numbers, *, alpha: float = 0.05) -> tuple[Floats, Floats, Floats]:
    """PPV / FOR with Katz's log limits; NaN where nobody of one group was retained. Source: Katz et al. 1978."""
    a, b, c, o = (np.asarray(part, dtype=np.float64) for part in (a, b, c, o))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((a > 0) & (b > 0), b * (a + o) / (a * (b + c)), np.nan)
        error = np.sqrt(1 / b - 1 / (b + c) + 1 / a - 1 / (a + o))
    return _log_limits(ratio, error, alpha)


def odds_ratio(a: Numbers, b: Numbers, c: Numbers, o: Numbers, *, alpha: float = 0.05) -> tuple[Floats, Floats, Floats]:
    """BO / AC with Woolf's limits; half a unit is added to every count where one is 0. Source: Woolf 1955."""
    counts = np.stack([np.asarray(part, dtype=np.float64) for part in (a, b, c, o)])
    counts = counts + 0.5 * (counts == 0).any(axis=0)
    return _log_limits(counts[1] * counts[3] / (counts[0] * counts[2]), np.sqrt((1 / counts).sum(axis=0)), alpha)


def phi_limits(
    a: Numbers, b: Numbers, c: Numbers, o: Numbers, *, rng: np.random.Generator, alpha: float = 0.05
) -> tuple[Floats, Floats]:
    """Bootstrap percentile limits of phi; resampling users is done by resampling a cell's four counts (multinomial)."""
    counts = np.stack(np.broadcast_arrays(*(np.atleast_1d(part) for part in (a, b, c, o))), axis=-1)
    n = counts.sum(axis=-1)
    if not n.size:
        return np.zeros(n.shape), np.zeros(n.shape)  # NumPy's quantiles of zero columns have no rows
    drawn = rng.multinomial(n, counts / np.maximum(n, 1)[..., None], size=(PHI_DRAWS, *n.shape))
    values = phi(*np.moveaxis(drawn, -1, 0))
    empty = np.isnan(values).all(axis=0)
    low, high = np.nanquantile(np.where(empty, 0.0, values), [alpha / 2, 1 - alpha / 2], axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def measure(cells: Cells, phi_low: Floats, phi_high: Floats, *, alpha: float = 0.05) -> Measured:
    """Every metric of every cell: the estimates and, where it has an interval, its limits."""
    a, b, c, o = cells.counts
    n = a + b + c + o
    shares = {
        "base": (a + b, n),
        "reach": (b + c, n),
        "ppv": (b, b + c),
        "retained_without": (a, a + o),
        "npv": (o, a + o),
        "recall": (b, a + b),
        "specificity": (o, c + o),
        "j": (b, a + b + c),
    }
    parts, wholes = (np.stack(side) for side in zip(*shares.values(), strict=True))
    limits = wilson_limits(parts, wholes, alpha=alpha)  # at once: SciPy's quantile costs more than the limits
    j = jaccard(a, b, c)
    return dict(zip(shares, zip(share(parts, wholes), *limits, strict=True), strict=True)) | {
        "f1": (2 * j / (1 + j),),
        "youden": (youden(a, b, c, o),),
        "phi": (phi(a, b, c, o), phi_low, phi_high),
        "difference": (risk_difference(a, b, c, o), *newcombe_limits((b, b + c), (a, a + o), alpha=alpha)),
        "ratio": risk_ratio(a, b, c, o, alpha=alpha),
        "odds_ratio": odds_ratio(a, b, c, o, alpha=alpha),
    }


def beats_everybody(measured: Measured) -> list[bool]:
    """Whether the J of each cell is above the share retained of all."""
    return [bool(better) for better in measured["j"][0] > measured["base"][0]]


def describe(
    cells: Cells, behaviours: Sequence[str], *, rng: np.random.Generator, alpha: float = 0.05
) -> tuple[Cell, ...]:
    """Every cell as a record, with per-cell intervals that ignore selection: a chosen cell needs null and hold-out.

    Args:
        cells: their counts.
        behaviours: text forms of the study's behaviours.
        rng: for the limits of phi.
        alpha: of the intervals.
    """
    limits = phi_limits(*cells.counts, rng=rng, alpha=alpha)
    return _records(cells, behaviours, measure(cells, *limits, alpha=alpha))


def cells_at(grid: Grid, places: Sequence[int], behaviours: Sequence[str]) -> tuple[Cell, ...]:
    """Cells of a study's grid as records, with the limits of phi that were drawn for the grid."""
    mine = grid.take(places)
    low, high = (np.array(column, dtype=np.float64) for column in (mine.phi_low, mine.phi_high))
    return _records(mine, behaviours, measure(mine, low, high))


def _records(cells: Cells, behaviours: Sequence[str], measured: Measured) -> tuple[Cell, ...]:
    columns: dict[str, Any] = {
        name: _numbers(*column) if len(column) > 1 else _plain(*column) for name, column in measured.items()
    } | {field.name: getattr(cells, field.name) for field in fields(Cells)}
    columns |= {
        "behaviour": [behaviours[number] for number in cells.behaviour],
        "beats_everybody": beats_everybody(measured),
    }
    return tuple(Cell(**{name: column[place] for name, column in columns.items()}) for place in range(cells.size))


def _numbers(value: Floats, low: Floats, high: Floats) -> list[Number]:
    return [
        NotComputable(Reason.NO_DATA) if np.isnan(v) or np.isnan(lo) else Interval(v, lo, hi)
        for v, lo, hi in zip(value.tolist(), low.tolist(), high.tolist(), strict=True)
    ]


def _plain(value: Floats) -> list[float | NotComputable]:
    return [NotComputable(Reason.NO_DATA) if np.isnan(v) else v for v in value.tolist()]


def _log_limits(ratio: Floats, error: Floats, alpha: float) -> tuple[Floats, Floats, Floats]:
    half = float(stats.norm.isf(alpha / 2)) * error
    return ratio, ratio * np.exp(-half), ratio * np.exp(half)
