"""The five moments of an encouragement design: effect on the outcome, on the behaviour, and their (co)variances."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt
from scipy import stats

from events.reasons import NotComputable, Reason
from experiments.stats.design import cluster_codes, cluster_degrees, cluster_sums, fewest_clusters, independent_columns
from experiments.stats.summaries import Array, Joint, Values, finite_array

# Share of the nudge's variance that the covariates must leave unexplained.
LEAST_NUDGE_LEFT = 1e-9


@dataclass(frozen=True)
class IvMoments:
    """What every estimate and set of the behaviour's effect is computed from.

    Attributes:
        itt: effect of the nudge on the outcome R, variant minus control.
        first_stage: effect of the nudge on the behaviour D, variant minus control (a share, -1 to 1).
        v_r: sampling variance of ``itt``.
        v_d: sampling variance of ``first_stage``.
        c_rd: their sampling covariance.
        n_control: units in control.
        n_variant: units in the variant.
        degrees_of_freedom: of the t law when clusters were assigned; None means the normal law. One number for all that
            is computed from these moments, so that the test of the outcome and the set of effects can't contradict.
    """

    itt: float
    first_stage: float
    v_r: float
    v_d: float
    c_rd: float
    n_control: int
    n_variant: int
    degrees_of_freedom: float | None = None

    def critical_value(self, alpha: float) -> float:
        """Two-sided critical value of the normal law, or of the t law between clusters."""
        if self.degrees_of_freedom is None:
            return float(stats.norm.isf(alpha / 2))
        return float(stats.t.isf(alpha / 2, self.degrees_of_freedom))

    def tail(self, statistic: float) -> float:
        """Two-sided p-value of a statistic under the same law."""
        if self.degrees_of_freedom is None:
            return 2 * float(stats.norm.sf(abs(statistic)))
        return 2 * float(stats.t.sf(abs(statistic), self.degrees_of_freedom))

    def __post_init__(self) -> None:
        numbers = (self.itt, self.first_stage, self.v_r, self.v_d, self.c_rd)
        if not all(map(isfinite, numbers)) or self.v_r < 0 or self.v_d < 0:
            raise ValueError(f"moments must be finite and variances at least 0, not {numbers}")


def iv_moments(control: Joint, variant: Joint) -> IvMoments | NotComputable:
    """Moments from the arms' summaries of (R, D), with n-1 variances within arms.

    Source: METHODS 4.12.
    """
    n = min(control.n, variant.n)
    if n < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": n, "needed": 2})
    effects = variant.means - control.means
    errors = variant.covariance / variant.n + control.covariance / control.n
    return IvMoments(
        float(effects[0]),
        float(effects[1]),
        float(errors[0, 0]),
        float(errors[1, 1]),
        float(errors[0, 1]),
        control.n,
        variant.n,
    )


def iv_moments_adjusted(
    r: Values, d: Values, g: Values, x: Values, clusters: npt.ArrayLike | None = None
) -> IvMoments | NotComputable:
    """Moments from the OLS of R and of D on (1, G, X), with sandwich (co)variances from their influence terms.

    The influence of a unit is G_res * residual / sum(G_res^2). The sandwich is HC0, without small-sample factor; with
    ``clusters`` the influence is summed within them first, and factor and law are those of ``cluster_difference``, so
    that without covariates both give the same test. ``x`` may have no columns; redundant ones are dropped.

    Args:
        r: outcome per unit.
        d: behaviour, 0 or 1.
        g: nudge, 0 or 1.
        x: covariates known before assignment, n rows.
        clusters: label of each unit's cluster, when clusters were assigned.

    Source: METHODS 4.12; White 1980; Liang and Zeger 1986.
    """
    outcome, behaviour, nudge = (finite_array(values, dimensions=1) for values in (r, d, g))
    columns = finite_array(x, dimensions=2)
    n = len(outcome)
    if not len(behaviour) == len(nudge) == len(columns) == n:
        raise ValueError("outcome, behaviour, nudge and covariates must have one row per unit each")
    n_variant = int(nudge.sum())
    if not np.isin(nudge, (0.0, 1.0)).all():
        raise ValueError("the nudge must hold 0 and 1 only")
    if min(n_variant, n - n_variant) < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": min(n_variant, n - n_variant), "needed": 2})
    design = constant_and_covariates(columns)
    if n <= design.shape[1] + 1:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": n, "needed": design.shape[1] + 2})
    q = np.linalg.qr(design)[0]
    left = _residual(nudge, q)
    strength = float(left @ left)
    if strength <= LEAST_NUDGE_LEFT * n:
        return NotComputable(Reason.COLLINEAR_COVARIATES)
    coefficients, influence = [], np.empty((n, 2))
    for i, values in enumerate((outcome, behaviour)):
        unexplained = _residual(values, q)
        coefficient = float(left @ unexplained) / strength
        coefficients.append(coefficient)
        influence[:, i] = left * (unexplained - coefficient * left) / strength
    factor, degrees = 1.0, None
    if clusters is not None:
        codes = cluster_codes(clusters, n)
        if (fewest := fewest_clusters(nudge, codes, (0.0, 1.0))) < 2:
            return NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": fewest, "needed": 2})
        influence = cluster_sums(influence, codes)
        groups = len(influence)
        factor = groups / (groups - 1) * (n - 1) / (n - design.shape[1] - 1)
        degrees = cluster_degrees(influence[:, 0], codes, nudge)
    errors = factor * influence.T @ influence
    v_r, v_d, c_rd = float(errors[0, 0]), float(errors[1, 1]), float(errors[0, 1])
    return IvMoments(coefficients[0], coefficients[1], v_r, v_d, c_rd, n - n_variant, n_variant, degrees)


def constant_and_covariates(columns: Array) -> Array:
    """A constant and the covariates that don't repeat each other, centred and scaled to standard deviation 1."""
    moments = Joint.from_columns(columns)
    kept = independent_columns(moments.covariance)
    scaled = (columns[:, kept] - moments.means[kept]) / np.sqrt(np.diag(moments.covariance)[kept])
    return np.column_stack([np.ones(len(columns)), scaled])


def _residual(values: Array, q: Array) -> Array:
    # The mean first: with earnings of 1e8 the projection would otherwise eat digits.
    centred = values - values.mean()
    once = centred - q @ (q.T @ centred)
    return once - q @ (q.T @ once)
