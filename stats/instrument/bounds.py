"""Balke and Pearl's bounds: how far the effect on everybody may differ from the effect on compliers."""

from dataclasses import dataclass
from itertools import product
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.optimize import linprog

from stats.cells import cross_counts
from stats.results import NotComputable, Reason, check_alpha
from stats.summaries import Joint

type Shares = npt.NDArray[np.float64]

# The 16 types of users: behaviour without and with the nudge, outcome without and with the behaviour.
TYPES = tuple(product((0, 1), repeat=4))


# The ends of the linear programme in closed form: the lower bound is the largest of the first eight sums of the shares
# p[g][r][d], the upper one the smallest of the last eight. A sum is written as its terms r, d, g with their signs.
# Source: Balke and Pearl 1997, equations 12 and 13 (their p_yd.z is p[z][y][d]).
LOWER = (
    "-1 +111 +000",
    "-1 +110 +001",
    "+110 -111 -101 -010 -100",
    "+111 -110 -100 -011 -101",
    "-011 -101",
    "-010 -100",
    "+001 -011 -101 -010 -000",
    "+000 -010 -100 -011 -001",
)
UPPER = (
    "+1 -011 -100",
    "+1 -010 -101",
    "-010 +011 +001 +110 +000",
    "-011 +111 +001 +010 +000",
    "+111 +001",
    "+110 +000",
    "-101 +111 +001 +110 +100",
    "-100 +110 +000 +111 +101",
)


@dataclass(frozen=True)
class Bounds:
    """Bounds of the average effect of the behaviour on everybody, P(R1 = 1) - P(R0 = 1), from -1 to 1.

    Attributes:
        low: smallest effect that some mix of types allows, given the shares as observed. If by chance the observed
            shares fit no mix at all, both bounds are the midpoint of their limits.
        high: largest.
        limit_low: lower confidence limit: the true smallest effect lies above it. None in payloads of 0.3.
        limit_high: upper confidence limit.
        level: probability with which both limits hold together, at least.
    """

    low: float
    high: float
    limit_low: float | None = None
    limit_high: float | None = None
    level: float = 0.95

    @property
    def direction(self) -> int:
        """1 or -1 when all effects within the limits have that sign, else 0: the sign for everybody isn't known."""
        if self.limit_low is not None and self.limit_low > 0:
            return 1
        return -1 if self.limit_high is not None and self.limit_high < 0 else 0


def balke_pearl(
    control: Joint, variant: Joint, *, rejected: bool = False, alpha: float = 0.05
) -> Bounds | NotComputable:
    """Sharp bounds by a linear programme over the 16 types, without monotonicity, with confidence limits.

    Each bound is the largest or smallest of eight sums of shares. Each sum gets a one-sided limit at alpha/16, so that
    all hold together; the largest (smallest) limit then holds for the bound itself, whichever sum attains it.

    Args:
        control: moments of (R, D), both 0/1.
        variant: the same.
        rejected: whether the instrument inequalities, the test of the model behind these bounds, were rejected.
        alpha: error rate of both limits together.

    Returns:
        The bounds, or ``NotComputable(MODEL_CONTRADICTED)`` when the inequalities are rejected, or no mix of types
        comes near the shares: the nudge then affects the outcome by another path than the behaviour, or it wasn't
            random.

    Source: Balke and Pearl 1997; limits by Bonferroni over intersection bounds, Chernozhukov, Lee and Rosen 2013; that
    they hold for the whole range and so for the effect too, Imbens and Manski 2004; docs/methods/encouragement.md.
    """
    check_alpha(alpha)
    shares = _shares(control, variant)
    if isinstance(shares, NotComputable):
        return shares
    if rejected:
        return NotComputable(Reason.MODEL_CONTRADICTED)
    low, high = _limits(shares, (control.n, variant.n), alpha)
    if low > high:
        return NotComputable(Reason.MODEL_CONTRADICTED)
    bounds = bounds_of_shares(shares)
    if isinstance(bounds, NotComputable):
        # By chance only: the limits are compatible with the model, and its test didn't reject.
        middle = (low + high) / 2
        bounds = Bounds(middle, middle)
    return Bounds(bounds.low, bounds.high, low, high, 1 - alpha)


def _limits(shares: Shares, sizes: tuple[int, int], alpha: float) -> tuple[float, float]:
    """Limits of both bounds that hold together with probability 1 - alpha, cut at the ends of all possible effects."""
    critical = float(stats.norm.isf(alpha / (len(LOWER) + len(UPPER))))
    low = max(value - critical * error for value, error in (_sum(text, shares, sizes) for text in LOWER))
    high = min(value + critical * error for value, error in (_sum(text, shares, sizes) for text in UPPER))
    return max(low, -1.0), min(high, 1.0)


def _sum(text: str, shares: Shares, sizes: tuple[int, int]) -> tuple[float, float]:
    """A sum of shares and its standard error.

    The variance adds one unit to each cell, so that an empty cell doesn't count as impossible
    (Agresti and Caffo 2000).
    """
    constant, weights = 0.0, np.zeros((2, 2, 2))
    for term in text.split():
        sign = -1.0 if term[0] == "-" else 1.0
        if len(term) == 2:
            constant += sign
        else:
            r, d, g = (int(digit) for digit in term[1:])
            weights[g, r, d] += sign
    variance = 0.0
    for weight, share, n in zip(weights, shares, sizes, strict=True):
        eased = (share * n + 1) / (n + 4)
        variance += float((weight**2 * eased).sum() - (weight * eased).sum() ** 2) / (n + 4)
    return constant + float((weights * shares).sum()), sqrt(max(variance, 0.0))


def bounds_of_shares(shares: npt.ArrayLike) -> Bounds | NotComputable:
    """The same from shares ``p[g][r][d]`` = P(R = r, D = d | G = g), which sum to 1 for each g.

    Raises:
        ValueError: if they don't, or the shape is another than 2 x 2 x 2.
    """
    p = np.asarray(shares, dtype=np.float64)
    if p.shape != (2, 2, 2) or (p < 0).any() or not np.allclose(p.sum(axis=(1, 2)), 1):
        raise ValueError("expected shares p[g][r][d] that sum to 1 for each g")
    matrix = np.zeros((8, len(TYPES)))
    for column, (d0, d1, r0, r1) in enumerate(TYPES):
        for g, did in enumerate((d0, d1)):
            matrix[4 * g + 2 * (r1 if did else r0) + did, column] = 1.0
    effect = np.array([r1 - r0 for _, _, r0, r1 in TYPES], dtype=np.float64)
    ends = []
    for sign in (1.0, -1.0):
        solved = linprog(sign * effect, A_eq=matrix, b_eq=p.ravel(), bounds=(0, None), method="highs")
        # Status 2: no mix of types gives these shares.
        if solved.status == 2:
            return NotComputable(Reason.MODEL_CONTRADICTED)
        if solved.fun is None:
            raise RuntimeError(f"the linear programme of the bounds failed: {solved.message}")
        ends.append(sign * float(solved.fun))
    return Bounds(ends[0], ends[1])


def _shares(control: Joint, variant: Joint) -> Shares | NotComputable:
    """p[g][r][d]."""
    if min(control.n, variant.n) == 0:
        return NotComputable(Reason.NO_DATA)
    tables = []
    for arm in (control, variant):
        counts = cross_counts(arm)
        if isinstance(counts, NotComputable):
            return counts
        tables.append(counts / arm.n)
    return np.array(tables)
