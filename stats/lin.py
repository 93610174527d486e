"""Lin's adjusted levels and effects of several outcomes at once: the basis of a registered adjustment.

With (outcome, behaviour) as the outcomes, the effects and their covariance are the five moments of the encouragement
analysis, so that the adjusted test and the adjusted Anderson-Rubin set can't contradict each other
(docs/methods/comparison.md, "Registered adjustment" and docs/methods/encouragement.md, "Registered adjustment").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

from stats import compare
from stats.clusters import weighted_scores, weights_of
from stats.design_matrix import cluster_codes, fewest_clusters, independent_columns
from stats.iv_moments import Contrast, IvMoments
from stats.ratios import Mix
from stats.results import Estimate, Interval, NotComputable, Reason, check_alpha
from stats.summaries import Array, Joint, Mean, Values, finite_array

# Our choice: with fewer units per coefficient the residual variance of a skewed outcome is underestimated. It depends
# only on the numbers of units and covariates, so that results can't influence it.
UNITS_PER_COEFFICIENT = 10
# Rule of thumb; simulated with 12 to 30 clusters and 3 to 6 covariates, fewer gave 10-13 % false alarms at 5 %.
CLUSTERS_PER_COEFFICIENT = 5


@dataclass(frozen=True, eq=False)
class LinEffects:
    """Adjusted levels of k outcomes in control and variant, and the effects between them.

    Attributes:
        levels: each arm's regression read at the pooled covariate means, 2 x k.
        covariance: sampling covariance of the levels, 2 x k x 2 x k; both arms share the covariate means.
        n: units of control and of the variant.
        kept: positions of the covariates used, 0-based; empty if none can be used: this is then the plain difference.
        degrees_of_freedom: of the t distribution with clusters; None for the normal one.
    """

    levels: Array
    covariance: Array
    n: tuple[int, int]
    kept: tuple[int, ...]
    degrees_of_freedom: float | None = None

    @property
    def effects(self) -> Array:
        """Variant minus control, one per outcome."""
        return np.asarray(self.levels[1] - self.levels[0])

    @property
    def errors(self) -> Array:
        """Sampling covariance of the effects, k x k."""
        c = self.covariance
        return np.asarray(c[1, :, 1] + c[0, :, 0] - c[0, :, 1] - c[1, :, 0])

    @property
    def moments(self) -> IvMoments:
        """The five moments of the first two outcomes, the second being the behaviour."""
        return self.contrast.moments

    @property
    def contrast(self) -> Contrast:
        """The effects on all outcomes."""
        return Contrast(self.effects, self.errors, *self.n, self.degrees_of_freedom)

    @property
    def method(self) -> str:
        """The method's name as docs/methods/comparison.md lists it."""
        if not self.kept:
            return "unpooled-z"
        return "lin-adjustment" if self.degrees_of_freedom is None else "lin-adjustment-clustered"

    def critical_value(self, alpha: float) -> float:
        """Two-sided critical value of the normal distribution, or of t with clusters."""
        df = self.degrees_of_freedom
        return float(stats.norm.isf(alpha / 2) if df is None else stats.t.isf(alpha / 2, df))


def lin_effects(
    control: Joint, variant: Joint, outcomes: int, *, units_per_coefficient: int = 0
) -> LinEffects | NotComputable:
    """One regression per arm and outcome, all read at the pooled covariate means.

    Args:
        control: moments of (outcomes ..., covariates ...).
        variant: the same columns.
        outcomes: how many of the columns are outcomes.
        units_per_coefficient: an arm with fewer units for each coefficient is compared without covariates.

    Returns:
        The effect equals that of OLS with centred, interacted covariates; its variance includes the term for the
        estimated covariate means, which HC2 of that regression omits. Redundant covariates are dropped.

    Source: Lin 2013; Negi and Wooldridge 2021; docs/methods/comparison.md, "Registered adjustment".
    """
    arms, k = (control, variant), outcomes
    columns = [i + k for i in independent_columns(control.covariance[k:, k:], variant.covariance[k:, k:])]
    smallest = min(control.n, variant.n)
    if smallest < units_per_coefficient * (len(columns) + 1):
        columns = []
    needed = max(len(columns) + 2, 2)
    if smallest < needed:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": smallest, "needed": needed})
    pooled = control + variant
    of_means = pooled.covariance[np.ix_(columns, columns)] / pooled.n
    levels, slopes = np.zeros((2, k)), []
    covariance = np.zeros((2, k, 2, k))
    for place, arm in enumerate(arms):
        slope = np.linalg.solve(arm.covariance[np.ix_(columns, columns)], arm.covariance[columns, :k])
        levels[place] = arm.means[:k] - (arm.means[columns] - pooled.means[columns]) @ slope
        residual = arm.covariance[:k, :k] - arm.covariance[:k, columns] @ slope
        covariance[place, :, place] = _not_negative(residual) * (arm.n - 1) / (arm.n - 1 - len(columns)) / arm.n
        slopes.append(slope)
    for left in (0, 1):
        for right in (0, 1):
            covariance[left, :, right] += slopes[left].T @ of_means @ slopes[right]
    return LinEffects(levels, covariance, (control.n, variant.n), tuple(column - k for column in columns))


def lin_effects_stratified(
    strata: Sequence[tuple[Joint, Joint]],
    outcomes: int,
    mix: Mix | None = None,
    *,
    units_per_coefficient: int = UNITS_PER_COEFFICIENT,
) -> LinEffects | NotComputable:
    """Lin's effects inside each stratum, averaged with the weights of the comparison without covariates.

    So both comparisons estimate the same, and a plan may give its segments different shares.

    Args:
        strata: (control, variant) of (outcomes ..., covariates ...) per stratum; a single one is the whole sample.
            Strata without units in one arm have no weight.
        outcomes: how many of the columns are outcomes.
        mix: the strata's shares of all units, used instead of Mantel-Haenszel's n1 n0 / N: gives the population effect,
            with errors that include the mix's.
        units_per_coefficient: a stratum with fewer units in an arm for each coefficient is compared without covariates.

    Source: docs/methods/comparison.md; Miratrix, Sekhon and Yu 2013 (adjustment by strata).
    """
    places = [place for place, (control, variant) in enumerate(strata) if control.n and variant.n]
    if not places:
        return NotComputable(Reason.TOO_FEW_STRATA)
    pairs = [strata[place] for place in places]
    part = None if mix is None else mix.part(places)
    weights = np.array([c.n * v.n / (c.n + v.n) for c, v in pairs] if part is None else part.shares)
    weights /= weights.sum()
    per_stratum = []
    for pair in pairs:
        effects = lin_effects(*pair, outcomes, units_per_coefficient=units_per_coefficient)
        if isinstance(effects, NotComputable):
            return effects
        per_stratum.append(effects)
    levels = np.array([effects.levels for effects in per_stratum])
    covariance = np.asarray(sum(w**2 * effects.covariance for w, effects in zip(weights, per_stratum, strict=True)))
    if part is not None:
        covariance = covariance + part.errors(levels.reshape(len(per_stratum), -1)).reshape(covariance.shape)
    return LinEffects(
        levels=np.tensordot(weights, levels, axes=1),
        covariance=covariance,
        n=(sum(effects.n[0] for effects in per_stratum), sum(effects.n[1] for effects in per_stratum)),
        kept=tuple(sorted({column for effects in per_stratum for column in effects.kept})),
    )


def lin_effects_clustered(
    outcomes: Values, treated: Values, x: Values, clusters: npt.ArrayLike, *, n: Values | None = None
) -> LinEffects | NotComputable:
    """``lin_effects`` for assigned clusters: CR2 scores of both levels, t with Bell-McCaffrey degrees of freedom.

    Each cluster's contribution to the estimated covariate means is added to its scores, as in ``lin_effects``.

    Args:
        outcomes: units x k.
        treated: 1 variant, 0 control.
        x: covariates, units x p; redundant ones are dropped.
        clusters: label of each unit's cluster.
        n: units per row, where rows are cells with the means of the outcomes.

    Returns:
        Refused below ``CLUSTERS_PER_COEFFICIENT`` clusters per arm for each coefficient of that arm, and where no
        covariate can be used.

    Source: Lin 2013; Bell and McCaffrey 2002; Su and Ding 2021.
    """
    values, arm = finite_array(outcomes, dimensions=2), finite_array(treated, dimensions=1)
    columns, codes = finite_array(x, dimensions=2), cluster_codes(clusters, len(arm))
    units = weights_of(n, len(arm))
    independent = independent_columns(
        *(_covariance(columns[arm == value], units[arm == value]) for value in (0.0, 1.0))
    )
    if not independent:
        return NotComputable(Reason.COLLINEAR_COVARIATES)
    p, total, k = len(independent), float(units.sum()), values.shape[1]
    if total <= 2 * p + 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": int(total), "needed": 2 * p + 3})
    fewest, needed = fewest_clusters(arm, codes, (0.0, 1.0)), CLUSTERS_PER_COEFFICIENT * (p + 1)
    if fewest < needed:
        return NotComputable(Reason.CLUSTERS_PER_COVARIATE, {"clusters": fewest, "needed": needed})
    centred = columns[:, independent] - np.average(columns[:, independent], axis=0, weights=units)
    design = np.column_stack([np.ones(len(arm)), arm, centred, centred * arm[:, None]])
    scale, root = np.sqrt(np.average(design**2, axis=0, weights=units)), np.sqrt(units)[:, None]
    q, r = np.linalg.qr(design / scale * root)
    scaled = np.linalg.solve(r, q.T @ (values * root))
    residuals, slopes = values - design / scale @ scaled, scaled / scale[:, None]
    contrast = np.eye(2 + 2 * p)[:2] / scale[:2, None]
    of_arm = (contrast[0], contrast[0] + contrast[1])
    lean = (slopes[2 : 2 + p], slopes[2 : 2 + p] + slopes[2 + p :])
    sums = []
    for which, slope in zip(of_arm, lean, strict=True):
        scores = weighted_scores(design / scale, which, residuals, codes, units).sums
        parts = (units / total)[:, None] * (centred @ slope)
        of_means = np.column_stack([np.bincount(codes, weights=parts[:, i]) for i in range(k)])
        sums.append(scores + of_means)
    both = np.column_stack(sums)
    in_variant = round(float(units[arm == 1].sum()))
    return LinEffects(
        levels=np.stack([slopes[0], slopes[0] + slopes[1]]),
        covariance=(both.T @ both).reshape(2, k, 2, k),
        n=(round(total) - in_variant, in_variant),
        kept=tuple(independent),
        degrees_of_freedom=weighted_scores(design / scale, contrast[1], residuals, codes, units).degrees_of_freedom,
    )


def lin_estimate(lin: LinEffects, *, alpha: float = 0.05) -> Estimate | NotComputable:
    """The effect on the first outcome; p < alpha exactly if the Anderson-Rubin set of its moments excludes 0."""
    check_alpha(alpha)
    effect, variance = float(lin.effects[0]), float(lin.errors[0, 0])
    if variance <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    error, df = sqrt(variance), lin.degrees_of_freedom
    half = error * lin.critical_value(alpha)
    ratio = abs(effect) / error
    p_value = 2 * float(stats.norm.sf(ratio) if df is None else stats.t.sf(ratio, df))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, lin.method)


def lin_lift(lin: LinEffects, *, alpha: float = 0.05) -> Interval | NotComputable:
    """Relative lift of the first outcome's adjusted levels, whose errors share the covariate means.

    The log lift's variance is V_T/T^2 + V_C/C^2 - 2 V_TC/(T C); each level carries half of the shared part.

    Source: docs/methods/comparison.md, "Registered adjustment"; the delta method.
    """
    levels, covariance = lin.levels[:, 0], lin.covariance[:, 0, :, 0]
    arms = []
    for arm, other in ((0, 1), (1, 0)):
        shared = covariance[0, 1] * levels[arm] / levels[other] if levels[other] else 0.0
        variance = max(float(covariance[arm, arm] - shared), 0.0)
        arms.append(Mean(lin.n[arm], float(levels[arm]), variance * lin.n[arm]))
    return compare.lift(arms[0], arms[1], alpha=alpha, critical=lin.critical_value(alpha))


def _not_negative(covariance: Array) -> Array:
    """Cut rounding below 0: if covariates explain an outcome fully, its variance may come out as -1e-17."""
    variances = np.diag(covariance)
    return covariance if (variances >= 0).all() else covariance * np.outer(variances > 0, variances > 0)


def _covariance(columns: Array, units: Array) -> Array:
    """n-1 covariance of columns that are constant within each row's units."""
    centred = columns - np.average(columns, axis=0, weights=units)
    return np.asarray((centred * units[:, None]).T @ centred / max(float(units.sum()) - 1, 1.0))
