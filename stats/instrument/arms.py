"""Several nudged arms with one control: the common effect of a treatment on them, and whether one fits all arms."""

from collections.abc import Sequence
from dataclasses import dataclass
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
    # Influence of an arm's mean: n * centred treatment / strength; arms are independent.
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
    """Why these arms can't be compared, or None."""
    if len(arms) < least:
        raise ValueError(f"this needs at least {least} nudged arms, not {len(arms)}")
    n = min(group.n for group in (control, *arms))
    return NotComputable(Reason.TOO_FEW_UNITS, {"n": n, "needed": 2}) if n < 2 else None
