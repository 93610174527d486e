"""How far the effect on everybody may be from the effect on compliers: Balke and Pearl's bounds."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from events.reasons import NotComputable, Reason
from experiments.stats.counts import cross_counts
from experiments.stats.summaries import Joint

# The 16 types of users: behaviour without and with the nudge, outcome without and with the behaviour.
TYPES = tuple(product((0, 1), repeat=4))


@dataclass(frozen=True)
class Bounds:
    """Bounds of the average effect of the behaviour on everybody, P(R1 = 1) - P(R0 = 1), from -1 to 1.

    They hold for the shares as observed: how far chance may have moved those isn't included.

    Attributes:
        low: smallest effect that some mix of types allows.
        high: largest.
    """

    low: float
    high: float

    @property
    def direction(self) -> int:
        """1 or -1 when all effects within the bounds have that sign, else 0: the sign for everybody isn't known."""
        if self.low > 0:
            return 1
        return -1 if self.high < 0 else 0


def balke_pearl(control: Joint, variant: Joint) -> Bounds | NotComputable:
    """Sharp bounds by a linear programme over the 16 types, without monotonicity.

    Args:
        control: moments of (R, D), both 0/1.
        variant: the same.

    Returns:
        The bounds, or ``NotComputable(MODEL_CONTRADICTED)`` when no mix of types gives the observed shares: the nudge
        then acts on another path than the behaviour, or it wasn't random (or chance did it: see the inequalities).

    Source: Balke and Pearl 1997; METHODS 4.13.
    """
    shares = _shares(control, variant)
    return shares if isinstance(shares, NotComputable) else bounds_of_shares(shares)


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
        # Status 2: no mix of types reproduces the shares.
        if solved.status == 2:
            return NotComputable(Reason.MODEL_CONTRADICTED)
        if solved.fun is None:
            raise RuntimeError(f"the linear programme of the bounds failed: {solved.message}")
        ends.append(sign * float(solved.fun))
    return Bounds(ends[0], ends[1])


def monotone_bounds(control: Joint, variant: Joint) -> Bounds | NotComputable:
    """The same in closed form if nobody does less because of the nudge; their width is 1 - first stage.

    Always-takers' outcome without, and never-takers' outcome with the behaviour are never seen: each may be all 0 or 1.

    Args:
        control: moments of (R, D), both 0/1.
        variant: the same.

    Source: Robins 1989; Manski 1990; Balke and Pearl 1997; METHODS 4.13.
    """
    shares = _shares(control, variant)
    if isinstance(shares, NotComputable):
        return shares
    known = float(shares[1, 1, 1] - shares[0, 1, 0])
    always, never = float(shares[0, :, 1].sum()), float(shares[1, :, 0].sum())
    if always + never > 1:
        return NotComputable(Reason.MODEL_CONTRADICTED)
    return Bounds(known - always, known + never)


def _shares(control: Joint, variant: Joint) -> npt.NDArray[np.float64] | NotComputable:
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
