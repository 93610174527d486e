"""Covariate adjustment and cluster-robust differences. Covariates must be known before assignment.

Source: docs/methods/comparison.md, "Registered adjustment".
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

from stats.clusters import ROUNDING, difference_scores
from stats.compare import compare_unpooled
from stats.design_matrix import cluster_codes, fewest_clusters
from stats.lin import LinEffects, lin_effects, lin_effects_clustered, lin_estimate
from stats.results import Estimate, NotComputable, Reason, check_alpha
from stats.summaries import Array, Joint, Values, finite_array


@dataclass(frozen=True)
class Adjusted(Estimate):
    """A covariate-adjusted effect.

    Attributes:
        variance_reduction: 1 - adjusted SE^2 / unadjusted SE^2; 0.2 = the same precision with 20 % fewer units.
            Negative when the covariates cost more than they explain.
        kept: positions of the covariates used, 0-based; the others are redundant.
    """

    variance_reduction: float
    kept: tuple[int, ...]


def lin(control: Joint, variant: Joint, *, alpha: float = 0.05) -> Adjusted | NotComputable:
    """Lin's adjusted difference from moments: one regression per arm, both read at the pooled covariate means.

    Args:
        control: moments of (outcome, covariate 1, ..., covariate p).
        variant: the same columns.
        alpha: two-sided error rate.

    Returns:
        Variant minus control; equals OLS with centred, interacted covariates. The variance holds the term for the
        estimated covariate means, which HC2 of that regression omits. Redundant covariates are dropped; when none is
        left the answer is ``NotComputable(COLLINEAR_COVARIATES)``.

    Source: Lin 2013; Negi and Wooldridge 2021.
    """
    check_alpha(alpha)
    effects = lin_effects(control, variant, 1)
    if isinstance(effects, NotComputable):
        return effects
    if not effects.kept:
        return NotComputable(Reason.COLLINEAR_COVARIATES)
    return adjusted_of(effects, compare_unpooled(control.column(0), variant.column(0)), alpha=alpha)


def cuped(control: Joint, variant: Joint, *, alpha: float = 0.05) -> Adjusted | NotComputable:
    """CUPED with one covariate: theta pooled within arms, so that the effect itself can't leak into it.

    Args:
        control: moments of (outcome, covariate).
        variant: the same.
        alpha: two-sided error rate.

    Returns:
        Variant minus control, adjusted. A covariate without variance has theta 0: the plain difference.

    Source: Deng, Xu, Kohavi and Walker 2013.
    """
    check_alpha(alpha)
    smallest = min(control.n, variant.n)
    if smallest < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": smallest, "needed": 2})
    within = (control.n - 1) * control.covariance + (variant.n - 1) * variant.covariance
    theta = float(within[0, 1] / within[1, 1]) if within[1, 1] > 0 else 0.0
    effect = float(variant.means[0] - control.means[0] - theta * (variant.means[1] - control.means[1]))
    variance, unadjusted = 0.0, 0.0
    for arm in (control, variant):
        (y, xy), (_, x) = arm.covariance[:2, :2].tolist()
        variance += max(y + theta**2 * x - 2 * theta * xy, 0.0) / arm.n
        unadjusted += y / arm.n
    if variance <= 0 or unadjusted <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    plain = _estimate(effect, sqrt(variance), alpha, "cuped", None)
    return Adjusted(**vars(plain), variance_reduction=1 - variance / unadjusted, kept=(0,))


def lin_clustered(
    y: Values, treated: Values, x: Values, clusters: npt.ArrayLike, *, alpha: float = 0.05, n: Values | None = None
) -> Adjusted | NotComputable:
    """Lin's interacted regression with errors clustered by the unit of assignment.

    CR2 scores of the nudge's coefficient, to which each cluster's contribution to the estimated covariate means is
    added, as in ``lin``; t with Bell-McCaffrey degrees of freedom. Refused below ``CLUSTERS_PER_COEFFICIENT`` clusters
    per arm for each coefficient of that arm: fewer give far too many false alarms.

    Args:
        y: outcome per unit.
        treated: 1 variant, 0 control.
        x: covariates, one column each.
        clusters: label of each unit's cluster.
        alpha: two-sided error rate.
        n: units per row, where rows are cells with the means of the outcome.

    Source: Lin 2013; Bell and McCaffrey 2002; Su and Ding 2021.
    """
    check_alpha(alpha)
    outcome, arm, columns = finite_array(y, dimensions=1), _arms(treated), finite_array(x, dimensions=2)
    codes = cluster_codes(clusters, len(outcome))
    if missing := _few_clusters(arm, codes, (0.0, 1.0)):
        return missing
    effects = lin_effects_clustered(outcome[:, None], arm, columns, clusters, n=n)
    if isinstance(effects, NotComputable):
        return effects
    return adjusted_of(effects, cluster_difference(outcome, arm, clusters, alpha=alpha, n=n), alpha=alpha)


def cluster_difference(
    y: Values, treated: Values, clusters: npt.ArrayLike, *, alpha: float = 0.05, n: Values | None = None
) -> Estimate | NotComputable:
    """Difference of means when whole clusters were assigned, with CR2 errors.

    Args:
        y: outcome per unit.
        treated: 1 variant, 0 control. Any other number is a further arm of the same experiment with its own mean; it
            doesn't affect the result.
        clusters: label of each unit's cluster.
        alpha: two-sided error rate.
        n: units per row, where rows are cells with the means of the outcome.

    Returns:
        Variant minus control; t with Bell-McCaffrey degrees of freedom. Fewer than two clusters in either arm are
        refused.

    Source: Bell and McCaffrey 2002; Imbens and Kolesar 2016.
    """
    check_alpha(alpha)
    outcome, arm = finite_array(y, dimensions=1), finite_array(treated, dimensions=1)
    codes = cluster_codes(clusters, len(outcome))
    if missing := _few_clusters(arm, codes, (0.0, 1.0)):
        return missing
    effect, scores = difference_scores(outcome, arm, codes, n)
    if scores.error**2 <= ROUNDING * float(np.square(outcome).max()):
        return NotComputable(Reason.NO_VARIANCE)
    return _estimate(effect, scores.error, alpha, "cluster-robust", scores.degrees_of_freedom)


def _arms(treated: Values) -> Array:
    arm = finite_array(treated, dimensions=1)
    if not np.isin(arm, (0.0, 1.0)).all():
        raise ValueError("treated must hold 0 and 1 only")
    return arm


def _few_clusters(arm: Array, codes: npt.NDArray[np.intp], arms: tuple[float, ...]) -> NotComputable | None:
    if len(arm) != len(codes):
        raise ValueError(f"{len(codes)} outcomes need as many arms, not {len(arm)}")
    fewest = fewest_clusters(arm, codes, arms)
    return NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": fewest, "needed": 2}) if fewest < 2 else None


def _estimate(effect: float, error: float, alpha: float, method: str, df: float | None) -> Estimate:
    law = stats.norm if df is None else stats.t(df)
    half = error * float(law.isf(alpha / 2))
    p_value = 2 * float(law.sf(abs(effect) / error))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, method)


def adjusted_of(
    found: LinEffects, plain: Estimate | NotComputable | None, *, alpha: float = 0.05
) -> Adjusted | NotComputable:
    """The effect on the first outcome, with the variance reduction against the unadjusted estimate."""
    effect = lin_estimate(found, alpha=alpha)
    if isinstance(effect, NotComputable):
        return effect
    if not isinstance(plain, Estimate) or plain.standard_error <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    saved = 1 - (effect.standard_error / plain.standard_error) ** 2
    return Adjusted(**vars(effect), variance_reduction=saved, kept=found.kept)
