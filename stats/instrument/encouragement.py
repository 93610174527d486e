"""Encouragement design: a nudge is randomised, which identifies the effect of the *behaviour* on compliers."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

from stats.cells import mean_of_product
from stats.instrument.anderson_rubin import AndersonRubin, Shape, anderson_rubin
from stats.iv_moments import IvMoments, constant_and_covariates, iv_moments, iv_moments_adjusted
from stats.results import Estimate, NotComputable, Reason, check_alpha
from stats.summaries import Array, Joint, Values, finite_array

__all__ = [
    "AndersonRubin",
    "IvMoments",
    "Shape",
    "TakeUp",
    "anderson_rubin",
    "as_treated",
    "effect_on_behaviour",
    "first_stage",
    "iv_moments",
    "iv_moments_adjusted",
    "opposite_signs",
    "per_protocol",
    "two_stage",
    "wald",
]

# Standard errors of the first stage.
NO_FIRST_STAGE_BELOW = 1e-10
# A share of units below this is rounding of a fit with covariates, whatever its error: a single unit is more.
ROUNDED_SHARE = 1e-12
LARGEST_LIBRARY_FIT = 200_000


@dataclass(frozen=True)
class TakeUp:
    """Effect of the nudge on the behaviour.

    Attributes:
        control: share of control that reached the behaviour, 0 to 1.
        variant: share of the variant, 0 to 1.
        difference: the first stage, variant minus control (adjusted when the moments are).
        standard_error: its standard error.
        low: lower limit of its interval.
        high: upper limit.
        f_statistic: robust F = difference^2 / variance; not computable when the behaviour doesn't vary within arms.
        level: confidence level of the interval.
    """

    control: float
    variant: float
    difference: float
    standard_error: float
    low: float
    high: float
    f_statistic: float | NotComputable
    level: float


def first_stage(moments: IvMoments, control_take_up: float, variant_take_up: float, *, alpha: float = 0.05) -> TakeUp:
    """The first stage with its interval and robust F.

    Source: docs/methods/encouragement.md, "First stage".
    """
    check_alpha(alpha)
    error = sqrt(moments.v_d)
    half = error * moments.critical_value(alpha)
    effect = moments.first_stage
    around = (effect - half, effect + half)
    return TakeUp(control_take_up, variant_take_up, effect, error, *around, moments.f_statistic, 1 - alpha)


def effect_on_behaviour(moments: IvMoments | NotComputable, *, alpha: float = 0.05) -> Estimate | NotComputable:
    """The first stage as an estimate with its p-value, for example of a placebo, which should have none.

    Source: docs/methods/encouragement.md, "Placebo arm".
    """
    check_alpha(alpha)
    if isinstance(moments, NotComputable):
        return moments
    if moments.v_d <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    effect, error = moments.first_stage, sqrt(moments.v_d)
    half = error * moments.critical_value(alpha)
    return Estimate(effect, error, effect - half, effect + half, moments.tail(effect / error), 1 - alpha, "first-stage")


def opposite_signs(segments: Mapping[str, TakeUp]) -> tuple[str, ...]:
    """Segments whose first stage significantly has the other sign than the strongest: monotonicity is in doubt there.

    Args:
        segments: first stage of each segment with a Bonferroni level (alpha / number of segments), so that all hold.

    Returns:
        Names of segments whose whole interval lies on the other side of 0; none when no interval excludes 0.

    Source: docs/methods/encouragement.md, "First stage".
    """
    sure = {name: take_up for name, take_up in segments.items() if take_up.low > 0 or take_up.high < 0}
    if not sure:
        return ()
    leading = max(sure.values(), key=lambda take_up: abs(take_up.difference))
    return tuple(name for name, take_up in sure.items() if (take_up.low > 0) != (leading.low > 0))


def wald(moments: IvMoments, *, alpha: float = 0.05) -> Estimate | NotComputable:
    """Effect of the behaviour on compliers, ITT / first stage, with its delta-method error.

    Its interval isn't reliable for a weak first stage: ``anderson_rubin`` decides, this ratio is only shown beside it.

    Returns:
        The outcome's change per complier who reaches the behaviour.

    Source: Wald 1940; Angrist, Imbens and Rubin 1996; docs/methods/encouragement.md, "Wald".
    """
    check_alpha(alpha)
    # A first stage that is rounding noise of its own error counts as none: the ratio would overflow.
    if abs(moments.first_stage) <= max(NO_FIRST_STAGE_BELOW * sqrt(moments.v_d), ROUNDED_SHARE):
        return NotComputable(Reason.NO_FIRST_STAGE)
    effect = moments.itt / moments.first_stage
    variance = moments.v_r - 2 * effect * moments.c_rd + effect**2 * moments.v_d
    # If R = b*D exactly, the residual variance is rounding: anything below 1e-12 of its parts.
    if variance <= 1e-12 * (moments.v_r + effect**2 * moments.v_d):
        return NotComputable(Reason.NO_VARIANCE)
    error = sqrt(variance) / abs(moments.first_stage)
    half = error * moments.critical_value(alpha)
    p_value = moments.tail(effect / error)
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, "wald")


def two_stage(
    r: Values, d: Values, g: Values, x: Values, *, clusters: npt.ArrayLike | None = None, alpha: float = 0.05
) -> Estimate | NotComputable:
    """Two-stage least squares of R on D with instrument G and covariates X, with robust or clustered errors.

    Errors carry the small-sample factor n/(n-k) (HC1), as published tables do, and the reference distribution is t with
    n-k degrees of freedom; with clusters they are CR2, of the ratio of both regressions on the nudge, with
    Bell-McCaffrey degrees of freedom. Redundant covariates are dropped. With clusters, and above
    ``LARGEST_LIBRARY_FIT`` units, the numbers come from the moments.

    Args:
        r: outcome per unit.
        d: behaviour, 0 or 1.
        g: nudge, 0 or 1.
        x: covariates known before assignment, n rows, perhaps no columns.
        clusters: label of each unit's cluster, when clusters were assigned.
        alpha: two-sided error rate.

    Source: Angrist and Imbens 1995 (linearmodels ``IV2SLS``).
    """
    check_alpha(alpha)
    # Refuse in the same cases as for the moments: sizes, clusters, a nudge explained by covariates.
    moments = iv_moments_adjusted(r, d, g, x, clusters)
    if isinstance(moments, NotComputable):
        return moments
    # Refuse an uninformative ratio too, before the library meets a singular matrix.
    ratio = wald(moments, alpha=alpha)
    if isinstance(ratio, NotComputable):
        return ratio
    outcome, behaviour, nudge = (finite_array(values, dimensions=1) for values in (r, d, g))
    exogenous = constant_and_covariates(finite_array(x, dimensions=2))
    n, k = len(outcome), exogenous.shape[1] + 1
    df = float(n - k) if moments.degrees_of_freedom is None else moments.degrees_of_freedom
    effect, error = ratio.estimate, ratio.standard_error * (sqrt(n / (n - k)) if clusters is None else 1.0)
    if clusters is None and n <= LARGEST_LIBRARY_FIT:
        effect, error = _library_fit(outcome, behaviour, nudge, exogenous)
    half = error * float(stats.t.isf(alpha / 2, df))
    p_value = 2 * float(stats.t.sf(abs(effect) / error, df))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, "two-stage-least-squares")


def _library_fit(outcome: Array, behaviour: Array, nudge: Array, exogenous: Array) -> tuple[float, float]:
    """Coefficient of the behaviour and its standard error by linearmodels."""
    from linearmodels.iv import IV2SLS

    fitted = IV2SLS(outcome, exogenous, behaviour, nudge).fit(cov_type="robust", debiased=True)
    return float(np.asarray(fitted.params)[-1]), float(np.asarray(fitted.std_errors)[-1])


def as_treated(control: Joint, variant: Joint) -> float | NotComputable:
    """Mean R of those with D = 1 minus that of those with D = 0, ignoring the nudge. A warning, never a finding.

    Args:
        control: moments of (R, D).
        variant: the same.
    """
    pooled = control + variant
    if pooled.covariance[1, 1] == 0:
        return NotComputable(Reason.NO_VARIANCE)
    # For a 0/1 column the slope is exactly the difference of the two means.
    return float(pooled.covariance[0, 1] / pooled.covariance[1, 1])


def per_protocol(control: Joint, variant: Joint) -> float | NotComputable:
    """Mean R of the nudged with D = 1 minus that of control with D = 0: only those who complied.

    For warnings only, never a finding: those who comply differ from those who don't, with and without the nudge.

    Args:
        control: moments of (R, D).
        variant: the same.
    """
    did, without = float(variant.means[1]), 1 - float(control.means[1])
    if min(did * variant.n, without * control.n) <= 0:
        return NotComputable(Reason.NO_DATA)
    outcome = float(control.means[0]) - mean_of_product(control)
    return mean_of_product(variant) / did - outcome / without
