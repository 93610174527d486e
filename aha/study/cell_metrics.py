"""Metrics and intervals of a cell from its four counts (did it or not, retained or not), as pages show them.

The vectorised functions work on arrays of counts and give NaN where a denominator is 0; `describe` turns NaN into
`NotComputable`, so no result of this package has one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from aha.study.grid import Cells, Floats
from stats.results import NotComputable, Reason
from stats.score import newcombe_limits, share, wilson_limits

Numbers = npt.NDArray[np.number]

# Reach of recommended cells, and of cells in the null: both groups must be large enough to compare.
RECOMMENDED_REACH = (0.05, 0.80)
NULL_REACH = (0.02, 0.98)
PHI_DRAWS = 500


@dataclass(frozen=True)
class Interval:
    """A number with its interval, both on the scale of the metric."""

    estimate: float
    low: float
    high: float


Number = Interval | NotComputable


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


def describe(cells: Cells, *, rng: np.random.Generator, alpha: float = 0.05) -> tuple[Cell, ...]:
    """Every cell as a record, with per-cell intervals that ignore selection: a chosen cell needs null and hold-out."""
    a, b, c, o = cells.a, cells.b, cells.c, cells.o
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
    columns = {name: _numbers(share(*pair), *wilson_limits(*pair, alpha=alpha)) for name, pair in shares.items()}
    columns["phi"] = _numbers(phi(a, b, c, o), *phi_limits(a, b, c, o, rng=rng, alpha=alpha))
    columns["difference"] = _numbers(risk_difference(a, b, c, o), *newcombe_limits((b, b + c), (a, a + o), alpha=alpha))
    columns["ratio"] = _numbers(*risk_ratio(a, b, c, o, alpha=alpha))
    columns["odds_ratio"] = _numbers(*odds_ratio(a, b, c, o, alpha=alpha))
    j = jaccard(a, b, c)
    f1, indices = _plain(2 * j / (1 + j)), _plain(youden(a, b, c, o))
    better = (j > share(a + b, n)).tolist()
    return tuple(
        Cell(
            behaviour=cells.behaviours[cells.behaviour[place]],
            days=int(cells.days[place]),
            times=int(cells.times[place]),
            a=int(a[place]),
            b=int(b[place]),
            c=int(c[place]),
            o=int(o[place]),
            **{name: column[place] for name, column in columns.items()},
            f1=f1[place],
            youden=indices[place],
            beats_everybody=better[place],
        )
        for place in range(cells.size)
    )


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
