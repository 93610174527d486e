"""The score test of a difference of two proportions against any value, and the interval dual to it.

Own code because statsmodels' inversion raises when a group has 0 or n successes (its solver meets a NaN).
"""

from math import inf, isinf, nextafter, sqrt

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.optimize import brentq

from stats.results import check_alpha
from stats.summaries import Array

# Vectorised shares of many groups, with score intervals.


def upper_z(tail: float) -> float:
    """The standard normal value with this probability above it: `norm.isf` bit by bit, without its 60 us of checks."""
    return -float(special.ndtri(tail))


def share(part: npt.ArrayLike, whole: npt.ArrayLike) -> Array:
    """part / whole, NaN if whole is 0."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    empty = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.asarray(np.divide(part, whole, out=empty, where=whole > 0))


def wilson_limits(part: npt.ArrayLike, whole: npt.ArrayLike, *, alpha: float = 0.05) -> tuple[Array, Array]:
    """Wilson's limits of each share, 0 to 1, NaN if the whole is 0. Source: Wilson 1927."""
    check_alpha(alpha)
    p, n = share(part, whole), np.maximum(np.asarray(whole, dtype=np.float64), 1)
    z2 = upper_z(alpha / 2) ** 2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # Otherwise rounding would leave 1e-17 where the limit is exactly the border.
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


HALVINGS = 60
CLOSE = 2.0**-50
PRECISION = 1e-15  # of a limit


def score_z(successes: tuple[int, int], n: tuple[int, int], value: float) -> float:
    """The score statistic of H: p1 - p0 = value, without small-sample correction. Pairs are (control, variant).

    Args:
        successes: number of ones per group.
        n: number of units per group, at least 1.
        value: the difference under the hypothesis, -1 to 1.

    Returns:
        The standard normal statistic; positive when the observed difference exceeds ``value``. At value 0 it is the
        pooled z. Infinite where the hypothesis leaves no variance and the data contradict it; 0.0 where they agree.

    Source: Mee 1984; Miettinen and Nurminen 1985 (without their n/(n-1)).
    """
    p0 = sum(successes) / sum(n) if value == 0 else _restricted_control_rate(successes, n, value)
    p1 = p0 + value
    variance = max(p1 * (1 - p1), 0.0) / n[1] + max(p0 * (1 - p0), 0.0) / n[0]
    gap = successes[1] / n[1] - successes[0] / n[0] - value
    if variance == 0:
        return 0.0 if gap == 0 else (inf if gap > 0 else -inf)
    return gap / sqrt(variance)


def score_interval(successes: tuple[int, int], n: tuple[int, int], *, alpha: float) -> tuple[float, float]:
    """The differences that the score test doesn't reject. 0 is outside exactly if the pooled z rejects.

    The search for the limit on the side of 0 starts at 0, on whichever side the test itself puts it, so that rounding
    can't make interval and p-value contradict each other.
    """
    critical = upper_z(alpha / 2)
    difference = successes[1] / n[1] - successes[0] / n[0]
    keeps_zero = abs(score_z(successes, n, 0.0)) <= critical

    def beyond(value: float) -> float:
        return abs(score_z(successes, n, value)) - critical

    def limit(end: float) -> float:
        inside, outside = difference, end
        if min(difference, end) < 0 < max(difference, end):
            inside, outside = (0.0, end) if keeps_zero else (difference, 0.0)
        while inside != outside and isinf(beyond(outside)):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if beyond(middle) <= 0 else (inside, middle)
        if inside == outside:
            return inside
        root = float(brentq(beyond, inside, outside, xtol=PRECISION, rtol=PRECISION))
        return nextafter(outside, inside) if root == outside else root  # whose test rejects it

    return limit(-1.0), limit(1.0)


def _restricted_control_rate(successes: tuple[int, int], n: tuple[int, int], value: float) -> float:
    """The likeliest control rate when the variant's is higher by ``value``.

    The score decreases in the rate. If it is nowhere above or nowhere below 0, the likeliest rate is a border; else its
    zero lies between the borders, and Newton's method finds it in a few steps. A step that would leave them is replaced
    by bisection; the closed form fails near borders.
    """
    (x0, x1), (n0, n1) = successes, n
    low, high = max(0.0, -value), min(1.0, 1.0 - value)
    if low == high:
        return low
    if not (x1 if value < 0 else x0) and _score(successes, n, low, value) <= 0:
        return low
    if not (n0 - x0 if value < 0 else n1 - x1) and _score(successes, n, high, value) >= 0:
        return high
    p0 = (x0 + x1 - n1 * value) / (n0 + n1)
    if not low < p0 < high:
        p0 = (low + high) / 2
    for _ in range(HALVINGS):
        p1 = p0 + value
        if not (0 < p0 < 1 and 0 < p1 < 1):
            break
        q0, q1 = 1 - p0, 1 - p1
        slope = x0 / p0 - (n0 - x0) / q0 + x1 / p1 - (n1 - x1) / q1
        if slope > 0:
            low = p0
        else:
            high = p0
        step = p0 + slope / (x0 / p0**2 + (n0 - x0) / q0**2 + x1 / p1**2 + (n1 - x1) / q1**2)
        if not low < step < high:
            step = (low + high) / 2
        if abs(step - p0) <= CLOSE * min(p0, q0):
            return step
        p0 = step
    return p0


def _score(successes: tuple[int, int], n: tuple[int, int], p0: float, value: float) -> float:
    """The score at a border: groups without successes, or without failures, have no pole there."""
    pairs = zip(successes, n, (p0, p0 + value), strict=True)
    return sum((x / p if x else 0.0) - ((m - x) / (1 - p) if m - x else 0.0) for x, m, p in pairs)
