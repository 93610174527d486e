"""The five moments of an encouragement design: effect on the outcome, on the behaviour, and their (co)variances."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt
from scipy import stats

from stats.clusters import weighted_scores, weights_of
from stats.design_matrix import cluster_codes, fewest_clusters, independent_columns
from stats.results import NotComputable, Reason
from stats.summaries import Array, Joint, Values, finite_array

# Share of the nudge's variance that the covariates must leave unexplained.
LEAST_NUDGE_LEFT = 1e-9


@dataclass(frozen=True)
class IvMoments:
    """The input of every estimate and set of the behaviour's effect.

    Attributes:
        itt: effect of the nudge on the outcome R, variant minus control.
        first_stage: effect of the nudge on the behaviour D, variant minus control (a share, -1 to 1).
        v_r: sampling variance of ``itt``.
        v_d: sampling variance of ``first_stage``.
        c_rd: their sampling covariance.
        n_control: units in control.
        n_variant: units in the variant.
        degrees_of_freedom: of the t law when clusters were assigned; None means the normal law. One number for
            everything computed from these moments, so that the test of the outcome and the set of effects can't
            contradict each other.
    """

    itt: float
    first_stage: float
    v_r: float
    v_d: float
    c_rd: float
    n_control: int
    n_variant: int
    degrees_of_freedom: float | None = None

    @property
    def f_statistic(self) -> float | NotComputable:
        """Robust F of the first stage; not computable if the behaviour doesn't vary within the groups."""
        return self.first_stage**2 / self.v_d if self.v_d > 0 else NotComputable(Reason.NO_VARIANCE)

    def critical_value(self, alpha: float) -> float:
        """Two-sided critical value of the normal distribution, or of t with clusters."""
        if self.degrees_of_freedom is None:
            return float(stats.norm.isf(alpha / 2))
        return float(stats.t.isf(alpha / 2, self.degrees_of_freedom))

    def tail(self, statistic: float) -> float:
        """Two-sided p-value of a statistic under the same distribution."""
        if self.degrees_of_freedom is None:
            return 2 * float(stats.norm.sf(abs(statistic)))
        return 2 * float(stats.t.sf(abs(statistic), self.degrees_of_freedom))

    def __post_init__(self) -> None:
        numbers = (self.itt, self.first_stage, self.v_r, self.v_d, self.c_rd)
        if not all(map(isfinite, numbers)) or self.v_r < 0 or self.v_d < 0:
            raise ValueError(f"moments must be finite and variances at least 0, not {numbers}")


@dataclass(frozen=True, eq=False)
class Contrast:
    """Effects of the nudge on k columns at once: the outcome, the behaviour, then any others.

    Attributes:
        effects: variant minus control, k of them.
        errors: their sampling covariance, k x k.
        n_control: units in control.
        n_variant: units in the variant.
        degrees_of_freedom: as in ``IvMoments``.
    """

    effects: Array
    errors: Array
    n_control: int
    n_variant: int
    degrees_of_freedom: float | None = None

    @property
    def moments(self) -> IvMoments:
        """Those of the first two columns."""
        (itt, first), (v_r, c_rd) = self.effects[:2].tolist(), self.errors[0, :2].tolist()
        v_d = float(self.errors[1, 1])
        return IvMoments(itt, first, v_r, v_d, c_rd, self.n_control, self.n_variant, self.degrees_of_freedom)


def contrast(control: Joint, variant: Joint) -> Contrast | NotComputable:
    """Differences of the arms' means in every column, with n-1 covariances within arms."""
    n = min(control.n, variant.n)
    if n < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": n, "needed": 2})
    errors = variant.covariance / variant.n + control.covariance / control.n
    return Contrast(variant.means - control.means, errors, control.n, variant.n)


def iv_moments(control: Joint, variant: Joint) -> IvMoments | NotComputable:
    """Moments from the arms' summaries of (R, D), with n-1 variances within arms.

    Source: docs/methods/encouragement.md.
    """
    found = contrast(control, variant)
    return found if isinstance(found, NotComputable) else found.moments


def iv_moments_adjusted(
    r: Values, d: Values, g: Values, x: Values, clusters: npt.ArrayLike | None = None, n: Values | None = None
) -> IvMoments | NotComputable:
    """Moments from the OLS of R and of D on (1, G, X): the first two columns of ``contrast_adjusted``."""
    outcome, behaviour = (finite_array(values, dimensions=1) for values in (r, d))
    if len(outcome) != len(behaviour):
        raise ValueError("outcome and behaviour must have one row per unit each")
    found = contrast_adjusted(np.column_stack([outcome, behaviour]), g, x, clusters, n)
    return found if isinstance(found, NotComputable) else found.moments


def contrast_adjusted(
    y: Values, g: Values, x: Values, clusters: npt.ArrayLike | None = None, n: Values | None = None
) -> Contrast | NotComputable:
    """Effects from the OLS of each column on (1, G, X), with sandwich (co)variances from their influence terms.

    The influence of a unit is G_res * residual / sum(G_res^2). The sandwich is HC0, without small-sample factor; with
    ``clusters`` it is CR2 with Bell-McCaffrey degrees of freedom, those of ``cluster_difference``, so that without
    covariates both give the same test. ``x`` may have no columns; redundant ones are dropped.

    Args:
        y: outcome, behaviour (0 or 1), perhaps other behaviours: n rows.
        g: nudge, 0 or 1.
        x: covariates known before assignment, n rows.
        clusters: label of each unit's cluster, when clusters were assigned.
        n: units per row, where rows are cells that share cluster, nudge and covariates; only with ``clusters``.

    Source: docs/methods/encouragement.md; White 1980; Bell and McCaffrey 2002.
    """
    measured, columns = finite_array(y, dimensions=2), finite_array(x, dimensions=2)
    nudge, rows = finite_array(g, dimensions=1), len(measured)
    if not len(nudge) == len(columns) == rows:
        raise ValueError("outcome, behaviour, nudge and covariates must have one row per unit each")
    if not np.isin(nudge, (0.0, 1.0)).all():
        raise ValueError("the nudge must hold 0 and 1 only")
    if n is not None and clusters is None:
        raise ValueError("cells without clusters have moments of their own: stats.cells")
    units = weights_of(n, rows)
    n_variant = round(float(nudge @ units))
    n_control = round(float(units.sum())) - n_variant
    if min(n_variant, n_control) < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": min(n_variant, n_control), "needed": 2})
    fit = nudge_fit(measured, nudge, columns, units)
    if isinstance(fit, NotComputable):
        return fit
    if clusters is None:
        influence = fit.left[:, None] * fit.residuals / fit.strength
        return Contrast(fit.coefficients, influence.T @ influence, n_control, n_variant)
    codes = cluster_codes(clusters, rows)
    if (fewest := fewest_clusters(nudge, codes, (0.0, 1.0))) < 2:
        return NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": fewest, "needed": 2})
    design = np.column_stack([constant_and_covariates(columns, units), nudge])
    contrast = np.eye(design.shape[1])[-1]
    scores = weighted_scores(design, contrast, fit.residuals, codes, units)
    return Contrast(fit.coefficients, scores.covariance, n_control, n_variant, scores.degrees_of_freedom)


@dataclass(frozen=True, eq=False)
class NudgeFit:
    """Least squares of several outcomes on (1, G, X), of units or of cells of units that share G and X.

    Attributes:
        coefficients: effect of the nudge on each outcome.
        left: residual of the nudge on the covariates, per row.
        residuals: residuals of the whole regression, per row and outcome.
        strength: sum over units of ``left`` squared.
        columns: number of coefficients: constant, nudge and covariates kept.
    """

    coefficients: Array
    left: Array
    residuals: Array
    strength: float
    columns: int


def nudge_fit(outcomes: Array, nudge: Array, covariates: Array, n: Array) -> NudgeFit | NotComputable:
    """Coefficients of the nudge by Frisch, Waugh and Lovell: residuals on residuals.

    Args:
        outcomes: one row per cell, one column per outcome: the means of the cell's units.
        nudge: 0 or 1 per row.
        covariates: one row per cell, perhaps no columns; redundant ones are dropped.
        n: units per row, at least 1. All 1: the rows are the units.
    """
    design = constant_and_covariates(covariates, n)
    units, columns = int(n.sum()), design.shape[1] + 1
    if units <= columns:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": units, "needed": columns + 1})
    root = np.sqrt(n)[:, None]
    q = np.linalg.qr(design * root)[0]
    left = _residual(nudge[:, None], q, root)
    strength = float((n * left[:, 0] ** 2).sum())
    if strength <= LEAST_NUDGE_LEFT * units:
        return NotComputable(Reason.COLLINEAR_COVARIATES)
    unexplained = _residual(outcomes, q, root)
    coefficients = (n * left[:, 0]) @ unexplained / strength
    return NudgeFit(coefficients, left[:, 0], unexplained - left * coefficients, strength, columns)


def constant_and_covariates(columns: Array, n: Array | None = None) -> Array:
    """A constant and the non-redundant covariates, centred and scaled to standard deviation 1.

    Args:
        columns: one row per unit, or per cell of units.
        n: units per row; 1 by default.
    """
    weights = np.ones(len(columns)) if n is None else n
    units = weights.sum()
    means = weights @ columns / units
    centred = columns - means
    covariance = centred.T @ (centred * weights[:, None]) / max(units - 1, 1)
    independent = independent_columns(covariance)
    return np.column_stack([np.ones(len(columns)), centred[:, independent] / np.sqrt(np.diag(covariance)[independent])])


def _residual(values: Array, q: Array, root: Array) -> Array:
    """Residuals of ``values`` on ``q``, an orthonormal basis of the weighted design."""
    # The mean first: with earnings of 1e8 the projection would otherwise lose digits.
    weighted = (values - (root[:, 0] ** 2) @ values / (root**2).sum()) * root
    once = weighted - q @ (q.T @ weighted)
    return (once - q @ (q.T @ once)) / root
