"""Several nudged arms with one control: the common effect of a treatment, and whether one effect fits all arms."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np
from scipy import stats

from stats.instrument.encouragement import NO_FIRST_STAGE_BELOW
from stats.results import Estimate, NotComputable, Reason, check_alpha
from stats.summaries import Array, Joint


@dataclass(frozen=True)
class ArmsFit:
    """Two-stage least squares with one instrument per nudged arm, and the test of its fit.

    Attributes:
        effect: the outcome's change per unit of the treatment, robust error.
        j_statistic: Hansen's J of the two-step GMM estimate.
        degrees_of_freedom: arms less one.
        p_value: upper tail: small when no single effect per unit of this treatment fits all arms.
    """

    effect: Estimate
    j_statistic: float
    degrees_of_freedom: int
    p_value: float


def fit_arms(
    control: Joint, arms: Sequence[Joint], *, treatment: int = 1, alpha: float = 0.05
) -> ArmsFit | NotComputable:
    """Two-stage least squares of column 0 on a treatment column with arm dummies as instruments, from moments.

    Args:
        control: moments of (R, ..., treatment, ...).
        arms: the same columns of each nudged arm, at least two.
        treatment: position of the treatment's column.
        alpha: two-sided error rate of the effect's interval.

    Source: Angrist and Imbens 1995; Hansen 1982 (J with the weights of the first step); docs/methods/encouragement.md.
    """
    check_alpha(alpha)
    if missing := refused(control, arms, least=2):
        return missing
    groups = (control, *arms)
    n = np.array([group.n for group in groups], dtype=np.float64)
    # The first stage predicts the arm's mean, so 2SLS is the regression of arm means on arm means, weighted by units.
    outcome, treated = (_centred([float(g.means[column]) for g in groups], n) for column in (0, treatment))
    strength = float(n @ treated**2)
    spread = sum(float(g.covariance[treatment, treatment]) / g.n for g in groups)
    if strength <= NO_FIRST_STAGE_BELOW**2 * float(n.sum()) * spread or strength == 0:
        return NotComputable(Reason.NO_FIRST_STAGE)
    effect = float(n @ (treated * outcome)) / strength
    residual = _residual_variances(groups, effect, treatment)
    if residual.min() <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    # Influence on an arm's mean: n * centred treatment / strength; arms are independent.
    error = sqrt(float(((n * treated) ** 2 * residual).sum())) / strength
    itt, first = effects_of(control, arms, treatment)
    inverse = np.linalg.inv(np.diag(residual[1:]) + residual[0])
    second = float(first @ inverse @ itt) / float(first @ inverse @ first)
    gap = itt - second * first
    j_statistic, degrees = float(gap @ inverse @ gap), len(arms) - 1
    half = error * float(stats.norm.isf(alpha / 2))
    p_effect = 2 * float(stats.norm.sf(abs(effect) / error))
    name = "two-stage-least-squares-arms"
    estimate = Estimate(effect, error, effect - half, effect + half, p_effect, 1 - alpha, name)
    return ArmsFit(estimate, j_statistic, degrees, float(stats.chi2.sf(j_statistic, degrees)))


def _residual_variances(groups: Sequence[Joint], b: float, treatment: int) -> Array:
    """Variance of the mean of R - b*T, per group."""
    weights = np.array([1.0, -b])
    columns = np.ix_([0, treatment], [0, treatment])
    return np.array([float(weights @ group.covariance[columns] @ weights) / group.n for group in groups])


def effects_of(control: Joint, arms: Sequence[Joint], treatment: int) -> tuple[Array, Array]:
    """Each arm's effect on the outcome and on the treatment, against the shared control."""
    gaps = np.array([arm.means - control.means for arm in arms])
    return gaps[:, 0], gaps[:, treatment]


def _centred(means: list[float], n: Array) -> Array:
    values = np.array(means)
    return values - float(n @ values) / float(n.sum())


def refused(control: Joint, arms: Sequence[Joint], *, least: int) -> NotComputable | None:
    """The reason why these arms can't be compared, or None."""
    if len(arms) < least:
        raise ValueError(f"this needs at least {least} nudged arms, not {len(arms)}")
    n = min(group.n for group in (control, *arms))
    return NotComputable(Reason.TOO_FEW_UNITS, {"n": n, "needed": 2}) if n < 2 else None


# Anderson-Rubin set of several nudged arms with one control: exact; it may be empty or unbounded.

type Piece = tuple[float | None, float | None]


@dataclass(frozen=True)
class EffectSet:
    """Every common effect that the arms together don't reject.

    Attributes:
        pieces: disjoint intervals in order; None is an unbounded side. Empty: the arms contradict a common effect.
        level: confidence level.
    """

    pieces: tuple[Piece, ...]
    level: float

    @property
    def empty(self) -> bool:
        """True when no effect fits all arms."""
        return not self.pieces

    @property
    def bounded(self) -> bool:
        """True when the set limits the effect on both sides (or is empty)."""
        return all(low is not None and high is not None for low, high in self.pieces)

    def contains(self, b: float) -> bool:
        """True when an effect of ``b`` is not rejected."""
        return any((low is None or b >= low) and (high is None or b <= high) for low, high in self.pieces)


def arms_effect_set(
    control: Joint, arms: Sequence[Joint], *, treatment: int = 1, alpha: float = 0.05
) -> EffectSet | NotComputable:
    """All common effects b with diff(b)' V(b)^-1 diff(b) <= the chi-square(m) quantile: exact, unbounded or empty.

    V is the covariance of the arms' differences; the shared control is its off-diagonal.

    statistic * det V(b) - quantile * det V(b) is a polynomial of degree 2m in b, built from sums of positive terms; its
    real roots are the only possible ends. With one arm the set is that of ``anderson_rubin``.

    Args:
        control: moments of (R, ..., treatment, ...).
        arms: the same columns of each nudged arm.
        treatment: position of the treatment's column.
        alpha: error rate.

    Source: Anderson and Rubin 1949; Dufour 1997; docs/methods/encouragement.md, "Anderson-Rubin set of several arms".
    """
    check_alpha(alpha)
    if missing := refused(control, arms, least=1):
        return missing
    groups = (control, *arms)
    scale = [sqrt(sum(float(g.covariance[i, i]) / g.n for g in groups)) for i in (0, treatment)]
    still = sum(not np.diag(group.covariance)[[0, treatment]].any() for group in groups)
    if min(scale) <= 0 or still > 1:
        return NotComputable(Reason.NO_VARIANCE)
    critical = float(stats.chi2.isf(alpha, len(arms)))
    # In units of the ratio of errors, so that earnings and shares give polynomials of similar size.
    itt, first = (values / size for values, size in zip(effects_of(control, arms, treatment), scale, strict=True))
    parts = [_quadratic(group, scale, treatment) for group in groups]
    poly = _set_polynomial(itt, first, parts, critical)
    inside = _Inside(itt, first, parts, critical)
    unit = scale[0] / scale[1]
    return EffectSet(tuple(_pieces(_real_roots(poly), inside, unit)), 1 - alpha)


@dataclass(frozen=True, eq=False)
class _Inside:
    """Whether b is in the set: by the statistic itself, not by the polynomial."""

    itt: Array
    first: Array
    parts: list[Array]
    critical: float

    def __call__(self, b: float) -> bool:
        v = np.array([np.polyval(part, b) for part in self.parts])
        gap = self.itt - b * self.first
        return bool(gap @ np.linalg.solve(np.diag(v[1:]) + v[0], gap) <= self.critical)


def _set_polynomial(itt: Array, first: Array, parts: list[Array], critical: float) -> Array:
    """(statistic - critical) * det V as coefficients of b, highest power first.

    With x_k the gap of arm k, v_k its variance, v_0 that of control and V = diag(v) + v_0 (Sherman and Morrison, and
    Lagrange's identity): statistic * det V = sum x_k^2 prod_{j!=k} v_j + v_0 sum_{i<j} (x_i - x_j)^2 prod_{l!=i,j} v_l,
    det V = prod v_k + v_0 sum_k prod_{j!=k} v_j. Every term has degree 2m.
    """
    v0, v = parts[0], parts[1:]
    gaps = [np.array([-d, r]) for r, d in zip(itt, first, strict=True)]
    m = len(v)
    det = _product(*v)
    total = np.zeros_like(det)
    for k in range(m):
        others = [v[j] for j in range(m) if j != k]
        total = total + _product(gaps[k], gaps[k], *others)
        det = det + _product(v0, *others)
        for i in range(k):
            rest = [v[j] for j in range(m) if j not in (i, k)]
            total = total + _product(v0, gaps[i] - gaps[k], gaps[i] - gaps[k], *rest)
    return total - critical * det


def _product(*factors: Array) -> Array:
    product = np.ones(1)
    for factor in factors:
        product = np.convolve(product, factor)
    return product


def _real_roots(coefficients: Array) -> list[float]:
    # A leading coefficient that is only rounding would give a root at 1e15 instead of none.
    significant = np.abs(coefficients) > 1e-14 * np.abs(coefficients).max()
    roots = np.roots(coefficients[int(np.argmax(significant)) :])
    # A double root may have a small imaginary part: one root too many only splits an interval in two.
    return sorted(float(root.real) for root in roots if abs(root.imag) <= 1e-6 * (1 + abs(root)))


def _pieces(roots: list[float], inside: _Inside, unit: float) -> list[Piece]:
    """The intervals between roots whose midpoint is in the set, with neighbours merged."""
    ends: list[float | None] = [None, *roots, None]
    pieces: list[Piece] = []
    for low, high in pairwise(ends):
        if not inside(_middle(low, high)):
            continue
        scaled = (None if low is None else low * unit, None if high is None else high * unit)
        if pieces and pieces[-1][1] is not None and pieces[-1][1] == scaled[0]:
            pieces[-1] = (pieces[-1][0], scaled[1])
        else:
            pieces.append(scaled)
    return pieces


def _middle(low: float | None, high: float | None) -> float:
    if low is None and high is None:
        return 0.0
    if low is None:
        return float(high or 0.0) - 1 - abs(float(high or 0.0))
    return low + 1 + abs(low) if high is None else (low + high) / 2


def _quadratic(group: Joint, scale: list[float], treatment: int) -> Array:
    """Variance of the mean of R - b*T as a polynomial of b, highest power first, in the scaled units."""
    v_r, v_t, c = (float(group.covariance[i, j]) / group.n for i, j in ((0, 0), (treatment, treatment), (0, treatment)))
    return np.array([v_t / scale[1] ** 2, -2 * c / (scale[0] * scale[1]), v_r / scale[0] ** 2])
