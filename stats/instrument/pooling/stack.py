"""Past experiments as instruments for one behaviour, stacked: every pooled statistic is a function of this."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from stats.five_moments import IvMoments
from stats.summaries import Array

# Below this share of V_R * V_D the outcome *is* the behaviour times a number, and no error is left.
LEAST_DETERMINANT = 1e-9
# Where nobody or everybody of an arm did it, the counted variance of a share is 0: a floor of 1e-6 as standard error.
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
        name: of the experiment (and arm), as people call it.
        moments: variant minus control, on the one definition of behaviour and outcome that all share.
        control: what the arms of one experiment share. Needed where a key has several instruments: without it only the
            first of them is pooled.
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
        lm: score statistic, the part of ``ar`` in the direction in which the effect could be another.
        slope: half the derivative of ``ar`` by the angle.
        strength: what is known about the direction: the total of the moments' own chi-square less ``ar``.
    """

    ar: Array
    lm: Array
    slope: Array
    strength: Array


@dataclass(frozen=True, eq=False)
class Stack:
    """K instruments of J experiments in standard units; an effect b stands at the angle atan(b / unit).

    On the circle the two ends of the line meet, so that unbounded sets need no care of their own: with e(t) = ITT cos t
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

    Left out: moments without variance, and all but the first arm of an experiment whose shared control isn't known.
    """
    kept: list[Instrument] = []
    dropped: list[Instrument] = []
    for one in instruments:
        same = [other for other in kept if other.key == one.key]
        alone = not same or all(other.control is not None for other in (*same, one))
        (kept if alone and _varies(one) else dropped).append(one)
    return kept, dropped


def _varies(one: Instrument) -> bool:
    r, c, d = _variances(one.moments)
    shared = one.control or SharedControl(0.0, 0.0, 0.0)
    own_r, own_c, own_d = r - shared.v_r, c - shared.c_rd, d - shared.v_d
    return own_r > 0 and own_d > 0 and own_r * own_d - own_c**2 > LEAST_DETERMINANT * own_r * own_d


def _variances(moments: IvMoments) -> tuple[float, float, float]:
    return moments.v_r, moments.c_rd, max(moments.v_d, LEAST_V_D)


def stacked(instruments: Sequence[Instrument], *, alpha: float) -> Stack:
    """The stack of usable instruments.

    Between clusters the variances grow by (t / z)^2 at this error rate, so that an experiment's own set stays the one
    that its own page shows.
    """
    keys = list(dict.fromkeys(one.key for one in instruments))
    member = np.array([[float(one.key == key) for key in keys] for one in instruments])
    several = member.sum(axis=0) > 1
    z = float(stats.norm.isf(alpha / 2))
    wider = np.array([(one.moments.critical_value(alpha) / z) ** 2 for one in instruments])
    whole = wider * np.array([_variances(one.moments) for one in instruments]).T
    shared = np.zeros((3, len(keys)))
    for one, factor in zip(instruments, wider, strict=True):
        j = keys.index(one.key)
        if several[j] and one.control is not None:
            # The smallest factor: what arms share may not exceed what one of them has.
            found = factor * np.array([one.control.v_r, one.control.c_rd, one.control.v_d])
            shared[:, j] = found if shared[0, j] == 0 else np.minimum(shared[:, j], found)
    scale_r, scale_d = (sqrt(float(whole[row].mean())) for row in (0, 2))
    by = np.array([[scale_r**2], [scale_r * scale_d], [scale_d**2]])
    return Stack(
        np.array([one.moments.itt for one in instruments]) / scale_r,
        np.array([one.moments.first_stage for one in instruments]) / scale_d,
        (whole - shared @ member.T) / by,
        shared / by,
        member,
        scale_r,
        scale_d,
    )
