"""Stack past experiments on one behaviour; sets of effects that all of them together don't reject."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import pi, sqrt

import numpy as np
from scipy import optimize, special, stats

from stats.instrument.arms import EffectSet, Piece
from stats.iv_moments import IvMoments
from stats.summaries import Array

# Past experiments as instruments for one behaviour, stacked: the input of every pooled statistic.

# Below this share of V_R * V_D the outcome is proportional to the behaviour, without any error.
LEAST_DETERMINANT = 1e-9
# If nobody or everybody of an arm did it, the estimated variance of a share is 0: use at least 1e-6 as standard error.
LEAST_V_D = 1e-12


@dataclass(frozen=True)
class SharedControl:
    """Variances and covariance of the *means* of a control group that several nudged arms are compared with.

    Attributes:
        v_r: variance of control's mean outcome.
        v_d: variance of control's take-up.
        c_rd: their covariance.
    """

    v_r: float
    v_d: float
    c_rd: float


@dataclass(frozen=True)
class Instrument:
    """One nudged arm of one finished experiment: an instrument for the behaviour.

    Attributes:
        key: of the experiment. Instruments of the same key were compared with the same control.
        name: display name of the experiment (and arm).
        moments: variant minus control, with the same definition of behaviour and outcome for all.
        control: variances that the arms of one experiment share. Needed if a key has several instruments: without it
            only the first of them is pooled.
    """

    key: str
    name: str
    moments: IvMoments
    control: SharedControl | None = None


@dataclass(frozen=True, eq=False)
class AtAngles:
    """Statistics at M angles.

    Attributes:
        ar: Anderson-Rubin statistic, e' V^-1 e.
        lm: score statistic, the part of ``ar`` in the direction of a changed effect.
        slope: half the derivative of ``ar`` by the angle.
        strength: information about the direction: the total of the moments' own chi-square less ``ar``.
    """

    ar: Array
    lm: Array
    slope: Array
    strength: Array


@dataclass(frozen=True, eq=False)
class Stack:
    """K instruments of J experiments in standard units; an effect b stands at the angle atan(b / unit).

    On the circle the two ends of the line meet, so that unbounded sets need no special treatment: with e(t) = ITT cos t
    - FS sin t and V(t) its variance, e' V^-1 e at the angle t is the Anderson-Rubin statistic of b.

    Attributes:
        itt, first: effects on outcome and behaviour, K.
        arm: variances V_R, C, V_D that only the instrument has, 3 x K.
        shared: the same of the control that instruments share, 3 x J; 0 where there is one instrument.
        member: K x J, 1 where instrument k belongs to experiment j.
        scale_r: size of a standard unit of the outcome.
        scale_d: size of a standard unit of the behaviour.
    """

    itt: Array
    first: Array
    arm: Array
    shared: Array
    member: Array
    scale_r: float
    scale_d: float

    @property
    def unit(self) -> float:
        """The effect at the angle pi/4."""
        return self.scale_r / self.scale_d

    @property
    def size(self) -> int:
        """K, the number of instruments."""
        return len(self.itt)

    def effect(self, angle: float) -> float:
        """The effect at an angle."""
        return float(np.tan(angle)) * self.unit

    def covariances(self) -> tuple[Array, Array, Array]:
        """K x K covariance matrices of (ITT, ITT), (ITT, FS), (FS, FS)."""
        r, c, d = (np.diag(own) + self.member * shared @ self.member.T for own, shared in self._pairs())
        return r, c, d

    def total(self) -> float:
        """(ITT, FS)' S^-1 (ITT, FS): chi-square of all moments against "no nudge did anything"."""
        r, c, d = self.covariances()
        both = np.concatenate([self.itt, self.first])
        return float(both @ np.linalg.solve(np.block([[r, c], [c, d]]), both))

    def at(self, angles: Array) -> AtAngles:
        """The statistics at the angles.

        The direction D = e' - Cov(e', e) V^-1 e doesn't depend on e, so the score statistic and ``strength`` are those
        of Kleibergen's robust test. e and D are the moments turned: their two chi-squares add up to the total.

        Source: Kleibergen 2005; Anderson and Rubin 1949.
        """
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        gap, turn = self.itt * cos - self.first * sin, -self.itt * sin - self.first * cos
        own, common = (_turned(part, cos, sin) for part in (self.arm, self.shared))
        weighted = self._solve(gap, own[0], common[0])
        direction = turn - own[1] * weighted - (common[1] * (weighted @ self.member)) @ self.member.T
        ar = (gap * weighted).sum(axis=1)
        information = (direction * self._solve(direction, own[0], common[0])).sum(axis=1)
        slope = (weighted * direction).sum(axis=1)
        lm = np.divide(slope**2, information, out=np.zeros_like(slope), where=information > 0)
        return AtAngles(ar, np.minimum(lm, ar), slope, np.maximum(self.total() - ar, 0.0))

    def parts(self, angles: Array) -> Array:
        """Each experiment's part of the Anderson-Rubin statistic, angles x experiments: they are independent."""
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        gap = self.itt * cos - self.first * sin
        own, common = (_turned(part, cos, sin)[0] for part in (self.arm, self.shared))
        return np.asarray((gap * self._solve(gap, own, common)) @ self.member)

    def ar(self, angles: Array) -> Array:
        """The Anderson-Rubin statistic alone."""
        return np.asarray(self.parts(angles).sum(axis=1))

    def _pairs(self) -> list[tuple[Array, Array]]:
        return list(zip(self.arm, self.shared, strict=True))

    def _solve(self, values: Array, own: Array, common: Array) -> Array:
        """V^-1 values with V = diag(own) + common inside experiments. Source: Sherman and Morrison 1950."""
        scaled = values / own
        factor = common / (1 + common * ((1 / own) @ self.member))
        return np.asarray(scaled - ((factor * (scaled @ self.member)) @ self.member.T) / own)


def _turned(part: Array, cos: Array, sin: Array) -> tuple[Array, Array]:
    """Variance of e and covariance of its derivative with it, from (V_R, C, V_D)."""
    r, c, d = part
    variance = r * cos**2 - 2 * c * sin * cos + d * sin**2
    covariance = sin * cos * (d - r) + (sin**2 - cos**2) * c
    return variance, covariance


def usable(instruments: Sequence[Instrument]) -> tuple[list[Instrument], list[Instrument]]:
    """Instruments that can be pooled, and those that can't.

    Left out: moments without variance, and all but the first arm of an experiment with unknown shared control.
    """
    pooled: list[Instrument] = []
    dropped: list[Instrument] = []
    for instrument in instruments:
        same = [other for other in pooled if other.key == instrument.key]
        alone = not same or all(other.control is not None for other in (*same, instrument))
        (pooled if alone and _varies(instrument) else dropped).append(instrument)
    return pooled, dropped


def _varies(instrument: Instrument) -> bool:
    r, c, d = _variances(instrument.moments)
    shared = instrument.control or SharedControl(0.0, 0.0, 0.0)
    own_r, own_c, own_d = r - shared.v_r, c - shared.c_rd, d - shared.v_d
    return own_r > 0 and own_d > 0 and own_r * own_d - own_c**2 > LEAST_DETERMINANT * own_r * own_d


def _variances(moments: IvMoments) -> tuple[float, float, float]:
    return moments.v_r, moments.c_rd, max(moments.v_d, LEAST_V_D)


def stacked(instruments: Sequence[Instrument], *, alpha: float) -> Stack:
    """The stack of usable instruments.

    Between clusters the variances grow by (t / z)^2 at this error rate, so that a single experiment's set equals the
    one on its own page.
    """
    keys = list(dict.fromkeys(instrument.key for instrument in instruments))
    member = np.array([[float(instrument.key == key) for key in keys] for instrument in instruments])
    several = member.sum(axis=0) > 1
    z = float(stats.norm.isf(alpha / 2))
    wider = np.array([(instrument.moments.critical_value(alpha) / z) ** 2 for instrument in instruments])
    whole = wider * np.array([_variances(instrument.moments) for instrument in instruments]).T
    shared = np.zeros((3, len(keys)))
    for instrument, factor in zip(instruments, wider, strict=True):
        j = keys.index(instrument.key)
        if several[j] and instrument.control is not None:
            # The smallest factor: what arms share may not exceed what one of them has.
            variances = factor * np.array([instrument.control.v_r, instrument.control.c_rd, instrument.control.v_d])
            shared[:, j] = variances if shared[0, j] == 0 else np.minimum(shared[:, j], variances)
    scale_r, scale_d = (sqrt(float(whole[row].mean())) for row in (0, 2))
    by = np.array([[scale_r**2], [scale_r * scale_d], [scale_d**2]])
    return Stack(
        np.array([instrument.moments.itt for instrument in instruments]) / scale_r,
        np.array([instrument.moments.first_stage for instrument in instruments]) / scale_d,
        (whole - shared @ member.T) / by,
        shared / by,
        member,
        scale_r,
        scale_d,
    )


# Find where a function on the circle of effects is at most 0: exact ends, even for narrow or unbounded pieces.

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
    minimum = optimize.minimize_scalar(
        lambda angle: float(stack.ar(np.array([angle]))[0]),
        bounds=(float(left), float(right)),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return float(_wrapped(np.array([minimum.x]))[0])


def lowest_without_each(stack: Stack) -> tuple[Array, Array]:
    """For each experiment, angle and value of the smallest statistic of all the others.

    Experiments are independent, so the statistic without one is the total minus that one's part.
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
    """Angles dense enough for every feature of the statistics: even ones, each ratio's, and many around the best.

    Also every angle at which the Anderson-Rubin statistic is flat: there the score is 0, and with very different
    variances a narrow piece of the likelihood-ratio set may lie there.
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
        points: sorted angles, both ends among them, dense enough that no piece and no gap lies between two.
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
    """The exact boundary between an angle outside and one inside."""

    def at(angle: float) -> float:
        # The end itself is inside.
        return float(curve(np.array([angle]))[0]) or -1e-300

    return float(optimize.brentq(at, left, right, xtol=1e-15, rtol=1e-14))


# Sets of effects that all experiments together don't reject: Anderson-Rubin and conditional likelihood ratio.

# Exact to 1e-6 from p = .5 down, up to 200 instruments.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(96)


def anderson_rubin_set(stack: Stack, best: float, *, alpha: float) -> EffectSet:
    """All b with e(b)' V(b)^-1 e(b) <= the chi-square(K) quantile, e = ITT - b FS.

    Holds for nudges of any strength. It may be empty, since it also rejects if the nudges disagree.

    Source: Anderson and Rubin 1949; docs/methods/pooling.md, "Pooled experiments".
    """
    critical = float(stats.chi2.isf(alpha, stack.size))
    intervals = pieces(lambda t: stack.ar(t) - critical, angles(stack, best), stack.unit)
    return EffectSet(intervals, 1 - alpha)


def likelihood_ratio_set(stack: Stack, best: float, *, alpha: float) -> EffectSet:
    """All b that the conditional likelihood-ratio test doesn't reject: equally exact, and narrower with many nudges.

    Source: Moreira 2003; Kleibergen 2005 (the robust statistic); Andrews, Moreira and Stock 2007 (its p-value).
    """
    sure = float(stats.chi2.isf(alpha, 1)), float(stats.chi2.isf(alpha, stack.size))

    def rejected(t: Array) -> Array:
        ratio, strength = likelihood_ratio(stack, t)
        # The critical value lies between those of chi-square(1) and chi-square(K): only there is p needed.
        excess = np.where(ratio <= sure[0], -alpha, alpha)
        between = (ratio > sure[0]) & (ratio < sure[1])
        excess[between] = alpha - conditional_p(ratio[between], strength[between], stack.size)
        return np.asarray(excess)

    return EffectSet(pieces(rejected, angles(stack, best), stack.unit), 1 - alpha)


def likelihood_ratio(stack: Stack, t: Array) -> tuple[Array, Array]:
    """Kleibergen's likelihood-ratio statistic and the strength that it is conditioned on, at the angles.

    (AR - s + sqrt((AR - s)^2 + 4 s LM)) / 2. With proportional variances it is AR less its minimum.

    Source: Kleibergen 2005, equation 33; Moreira 2003.
    """
    statistics = stack.at(t)
    gap = statistics.ar - statistics.strength
    root = np.sqrt(gap**2 + 4 * statistics.strength * statistics.lm)
    # With gap < 0 the sum would cancel: compute the same number from the other root.
    low = np.divide(2 * statistics.strength * statistics.lm, root - gap, out=np.zeros_like(gap), where=gap < 0)
    return np.where(gap < 0, low, (gap + root) / 2), statistics.strength


def conditional_p(ratio: Array, strength: Array, k: int) -> Array:
    """P(LR > ratio | strength) with k instruments: the mean of chi2(k).sf((z + s) / (1 + s u^2 / z)) over the law of u.

    u is one coordinate of a random direction in k dimensions.

    Source: Andrews, Moreira and Stock 2007, theorem 1; Hillier 2009.
    """
    if k == 1:
        return np.asarray(stats.chi2.sf(ratio, 1))
    z = np.maximum(ratio, 1e-300)[:, None]
    s = strength[:, None]
    top = min(pi / 2, 12 / k**0.5)  # beyond, cos^(k-2) is below 1e-16 of its integral
    angle = top * (NODES + 1) / 2
    density = np.cos(angle) ** (k - 2) * WEIGHTS * top / 2
    constant = 2 * np.exp(special.gammaln(k / 2) - special.gammaln((k - 1) / 2)) / pi**0.5
    tail = stats.chi2.sf((z + s) / (1 + s * np.sin(angle) ** 2 / z), k)
    return np.asarray(np.minimum(constant * (tail @ density), 1.0))
