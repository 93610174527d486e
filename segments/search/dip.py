"""Hartigan's dip: how far a sample is from any distribution with one peak. Pure, written from the paper.

The p-value is simulated against uniform samples, the least favourable of the one-peaked laws in the paper's sense.
"""

from functools import lru_cache
from math import sqrt

import numpy as np

from segments.search.features import Floats, Ints

NULL_DRAWS = 999
# sqrt(n) times the dip of a uniform sample hardly changes with n from here on; a larger null would only be slow.
NULL_ROWS = 1_000
NULL_SEED = 1985


def dip(values: Floats) -> float:
    """Largest distance between the empirical distribution and the nearest one with a single mode, 1/(2n) to 1/4.

    Between the ends of a modal interval that shrinks step by step, the greatest convex minorant of the empirical
    distribution stands on the left and its least concave majorant on the right; the dip is half the largest distance
    that either needs. Ties are steps of their whole height.

    Args:
        values: the sample, at least one number, in any order.

    Raises:
        ValueError: an empty sample, or a value that is no number.

    Source: Hartigan and Hartigan 1985, section 4 (algorithm); Hartigan 1985 (AS 217).
    """
    if not len(values) or not np.isfinite(values).all():
        raise ValueError("a dip needs at least one value, and numbers only")
    places, counts = np.unique(values, return_counts=True)
    after = np.cumsum(counts).astype(np.float64)
    before = after - counts
    low, high, found = 0, len(places) - 1, 1.0
    while low < high:
        minorant, majorant = _hulls(places, before, after, low, high)
        lower = np.interp(places[low : high + 1], places[minorant], before[minorant])
        upper = np.interp(places[low : high + 1], places[majorant], after[majorant])
        widest, left, right = _modal_interval(minorant, majorant, lower, upper, low, before, after)
        if widest <= found:
            break
        # The steps at the ends of the modal interval aren't counted: a mode may be a jump.
        needed = (after[low:left] - lower[: left - low], upper[right + 1 - low :] - before[right + 1 : high + 1])
        found = max(found, *(float(part.max(initial=0.0)) for part in needed))
        if (left, right) == (low, high):
            break
        low, high = left, right
    return found / (2 * len(values))


def dip_p_value(statistic: float, rows: int, *, draws: int = NULL_DRAWS) -> float:
    """Share of uniform samples with a dip at least as large, 1/(draws + 1) to 1; the seed is fixed.

    Args:
        statistic: of `dip`.
        rows: size of its sample, at least 1.
        draws: uniform samples.

    Source: Hartigan and Hartigan 1985, section 3 (the uniform as null; sqrt(n) times the dip has a limit law).
    """
    size = min(rows, NULL_ROWS)
    null = _null(size, draws)
    return float(1 + (null >= statistic * sqrt(rows / size) * (1 - 1e-12)).sum()) / (draws + 1)


@lru_cache(maxsize=64)
def _null(rows: int, draws: int) -> Floats:
    rng = np.random.default_rng((NULL_SEED, rows))
    return np.array([dip(rng.random(rows)) for _ in range(draws)])


def _hulls(places: Floats, before: Floats, after: Floats, low: int, high: int) -> tuple[Ints, Ints]:
    """Indices where the greatest convex minorant and the least concave majorant touch the steps, from low to high."""
    x = places[low : high + 1].tolist()
    below, above = before[low : high + 1].tolist(), (-after[low : high + 1]).tolist()
    return np.array(_lower_hull(x, below)) + low, np.array(_lower_hull(x, above)) + low


def _lower_hull(x: list[float], y: list[float]) -> list[int]:
    """Corners of the lower convex hull of points with rising x (the monotone chain of Andrew 1979)."""
    kept: list[int] = []
    for point in range(len(x)):
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            if (y[b] - y[a]) * (x[point] - x[b]) < (y[point] - y[b]) * (x[b] - x[a]):
                break
            kept.pop()
        kept.append(point)
    return kept


def _modal_interval(
    minorant: Ints, majorant: Ints, lower: Floats, upper: Floats, low: int, before: Floats, after: Floats
) -> tuple[float, int, int]:
    """The largest distance between both hulls at their corners, and the ends of the modal interval around it."""
    at_minorant = upper[minorant - low] - before[minorant]
    at_majorant = after[majorant] - lower[majorant - low]
    if at_minorant.max() > at_majorant.max():
        left = int(minorant[at_minorant.argmax()])
        return float(at_minorant.max()), left, int(majorant[np.searchsorted(majorant, left)])
    right = int(majorant[at_majorant.argmax()])
    return float(at_majorant.max()), int(minorant[np.searchsorted(minorant, right, side="right") - 1]), right
