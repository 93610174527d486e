"""Where a function on the circle of effects is at most 0: exact ends, however narrow or unbounded the pieces."""

from collections.abc import Callable
from itertools import pairwise
from math import pi

import numpy as np
from scipy import optimize

from stats.instrument.arms_set import Piece
from stats.instrument.pooling.stack import Stack
from stats.summaries import Array

type Curve = Callable[[Array], Array]
EVEN = 241
AROUND = np.array([-12, -6, -4, -3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 6, 12])
NEAR = np.array([-4, -1, 0, 1, 4])
ZOOMS = 9
ZOOM = np.linspace(-1, 1, 21)


def lowest(stack: Stack) -> float:
    """The angle at which the Anderson-Rubin statistic is smallest, over the whole circle."""
    points = _points(stack)
    best = int(stack.ar(points).argmin())
    # The circle's ends are one point: its neighbours lie on both sides.
    left = points[best - 1] if best > 0 else points[-2] - pi
    right = points[best + 1] if best + 1 < len(points) else points[1] + pi
    found = optimize.minimize_scalar(
        lambda angle: float(stack.ar(np.array([angle]))[0]),
        bounds=(float(left), float(right)),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return float(_wrapped(np.array([found.x]))[0])


def lowest_without_each(stack: Stack) -> tuple[Array, Array]:
    """For each experiment, angle and value of the smallest statistic of all the others.

    Experiments are independent, so the statistic without one is the whole less that one's part.
    """
    points = _points(stack)
    parts = stack.parts(points)
    at = (parts.sum(axis=1)[:, None] - parts).argmin(axis=0)
    centre, half = points[at], np.full(len(at), np.diff(points).max())
    each = np.arange(len(at))
    for _ in range(ZOOMS):
        grid = centre[:, None] + half[:, None] * ZOOM
        parts = stack.parts(grid.ravel()).reshape(*grid.shape, -1)
        values = parts.sum(axis=2) - parts[each, :, each]
        best = values.argmin(axis=1)
        centre, half = grid[each, best], half * (ZOOM[1] - ZOOM[0])
    return centre, values[each, best]


def angles(stack: Stack, best: float) -> Array:
    """Angles that no feature of the statistics slips between: even ones, each ratio's, and many around the best.

    And every angle at which the Anderson-Rubin statistic is flat: there the score is 0, and where variances differ much
    a narrow piece of the likelihood-ratio set may lie.
    """
    width = 1 / np.sqrt(1 + max(stack.total() - float(stack.ar(np.array([best]))[0]), 0.0))
    points = np.unique(np.concatenate([_points(stack), _wrapped(best + width * AROUND)]))

    def slope(angle: float) -> float:
        return float(stack.at(np.array([angle])).slope[0])

    signs = np.sign(stack.at(points).slope)
    turns = [optimize.brentq(slope, *points[at : at + 2]) for at in np.flatnonzero(signs[1:] * signs[:-1] < 0)]
    return np.unique(np.concatenate([points, turns]))


def pieces(curve: Curve, points: Array, unit: float) -> tuple[Piece, ...]:
    """The effects at which the curve is at most 0, as disjoint intervals in order; None is an unbounded side.

    Args:
        curve: of angles in [-pi/2, pi/2]; the same at both ends.
        points: sorted angles, both ends among them, near enough that no piece and no gap lies between two.
        unit: effect at the angle pi/4.
    """
    inside = curve(points) <= 0
    ends: list[float | None] = [None] if inside[0] else []
    for (left, right), (before, after) in zip(pairwise(points.tolist()), pairwise(inside.tolist()), strict=True):
        if before != after:
            ends.append(_effect(_crossing(curve, left, right), unit))
    if inside[-1]:
        ends.append(None)
    return tuple(zip(ends[::2], ends[1::2], strict=True))


def _effect(angle: float, unit: float) -> float:
    return float(np.tan(angle)) * unit


def _points(stack: Stack) -> Array:
    """Even angles, and some around the ratio of each instrument."""
    own = stack.arm + stack.shared @ stack.member.T
    ratio = np.arctan2(stack.itt, stack.first)
    width = 1 / np.sqrt(1 + stack.itt**2 / own[0] + stack.first**2 / own[2])
    near = (ratio[:, None] + width[:, None] * NEAR).ravel()
    return np.unique(np.concatenate([np.linspace(-pi / 2, pi / 2, EVEN), _wrapped(near)]))


def _wrapped(angles: Array) -> Array:
    """The same lines through the origin, as angles in [-pi/2, pi/2)."""
    return np.asarray((angles + pi / 2) % pi - pi / 2)


def _crossing(curve: Curve, left: float, right: float) -> float:
    """The end between an angle outside and one inside, to the last digits."""

    def at(angle: float) -> float:
        # The end itself is inside.
        return float(curve(np.array([angle]))[0]) or -1e-300

    return float(optimize.brentq(at, left, right, xtol=1e-15, rtol=1e-14))
