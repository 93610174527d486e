"""Shares of many groups at once, with their score intervals: arrays in, arrays out."""

import numpy as np
import numpy.typing as npt
from scipy import stats

from stats.results import check_alpha
from stats.summaries import Array


def share(part: npt.ArrayLike, whole: npt.ArrayLike) -> Array:
    """part / whole, NaN where there is no whole."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    empty = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.asarray(np.divide(part, whole, out=empty, where=whole > 0))


def wilson_limits(part: npt.ArrayLike, whole: npt.ArrayLike, *, alpha: float = 0.05) -> tuple[Array, Array]:
    """Wilson's limits of each share, 0 to 1, NaN where there is no whole. Source: Wilson 1927."""
    check_alpha(alpha)
    p, n = share(part, whole), np.maximum(np.asarray(whole, dtype=np.float64), 1)
    z2 = float(stats.norm.isf(alpha / 2)) ** 2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # Rounding would leave 1e-17 where the limit is exactly the border.
    return np.where(p == 0, 0.0, centre - half), np.where(p == 1, 1.0, centre + half)


def newcombe_limits(
    first: tuple[npt.ArrayLike, npt.ArrayLike], second: tuple[npt.ArrayLike, npt.ArrayLike], *, alpha: float = 0.05
) -> tuple[Array, Array]:
    """Newcombe's hybrid score limits of the first share minus the second, -1 to 1.

    Args:
        first, second: (part, whole) of each group.
        alpha: two-sided error rate.

    Source: Newcombe 1998, method 10.
    """
    (p1, p2), (one, two) = (share(*first), share(*second)), (wilson_limits(*g, alpha=alpha) for g in (first, second))
    difference = p1 - p2
    down, up = np.hypot(p1 - one[0], two[1] - p2), np.hypot(one[1] - p1, p2 - two[0])
    return difference - down, difference + up
