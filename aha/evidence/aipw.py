"""Augmented inverse probability weighting, cross-fitted: a difference adjusted for measured covariates.

It removes what the covariates explain and nothing else. Unmeasured confounding stays in the estimate, and with many
units that bias is "significant": adjusted estimates rank candidates and prove no cause.
"""

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from scipy import stats

from aha.evidence.nuisance import Codes, Flags, Floats, Nuisance, fit_nuisance
from runs.progress import Progress, silent
from stats.results import NotComputable, Reason

CLIP = 0.02
OUTSIDE = 0.05
MOST_CLIPPED = 0.10
LEAST_EFFECTIVE = 0.10
FEWEST_PER_GROUP = 50
MAX_UNITS = 50_000
# Above it exp() of a limit overflows: a mean is then indistinguishable from 0.
LARGEST_LOG = 700.0


@dataclass(frozen=True)
class Difference:
    """A difference of outcome means with its interval: those who did the behaviour minus those who didn't.

    Attributes:
        estimate: in the outcome's unit (0.01 = one point of retention); positive when doers stay more.
        standard_error: same unit, above 0.
        low, high: limits of the interval.
        level: its confidence level, for example 0.95.
    """

    estimate: float
    standard_error: float
    low: float
    high: float
    level: float

    @property
    def excludes_zero(self) -> bool:
        """True when the whole interval is on one side of 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class RiskRatio:
    """Ratio of two means, doers over others, with the log interval of the delta method."""

    estimate: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Overlap:
    """Whether comparable units exist on both sides. All are shares, 0 to 1.

    Attributes:
        clipped: share of units whose propensity was outside [.02, .98].
        outside: share of units whose propensity is outside [.05, .95].
        effective_with, effective_without: effective sample size over group size, (sum w)^2 / sum w^2 / n.
    """

    clipped: float
    outside: float
    effective_with: float
    effective_without: float

    @property
    def is_enough(self) -> bool:
        """At most 10 % clipped, and weights that leave at least 10 % of each group."""
        return self.clipped <= MOST_CLIPPED and min(self.effective_with, self.effective_without) >= LEAST_EFFECTIVE


@dataclass(frozen=True)
class Adjusted:
    """An adjusted difference with its overlap diagnostics, group sizes and chosen models.

    Attributes:
        difference: the average effect on everyone, if every common cause were among the covariates.
        ratio: the ratio of the two potential means.
        mean_with, mean_without: the potential means; noise may put them slightly outside the outcome's range.
        n_with, n_without: rows of the two groups that were used: units, or days of units.
        overlap: how comparable the groups are.
        models: names of the chosen models: propensity, outcome with, outcome without.
        units: different units among the rows; 0 in reports of earlier versions.
    """

    difference: Difference
    ratio: RiskRatio | NotComputable
    mean_with: float
    mean_without: float
    n_with: int
    n_without: int
    overlap: Overlap
    models: tuple[str, str, str]
    units: int = 0


def normal_difference(estimate: float, standard_error: float, *, alpha: float) -> Difference:
    """A difference with the symmetric interval of the normal law."""
    half = float(stats.norm.isf(alpha / 2)) * standard_error
    return Difference(estimate, standard_error, estimate - half, estimate + half, 1 - alpha)


def weigh(
    outcome: Floats, did: Flags, nuisance: Nuisance, *, alpha: float = 0.05, unit: Codes | None = None
) -> Adjusted | NotComputable:
    """AIPW from given predictions.

    Args:
        outcome: outcome per unit, 0/1 or numeric.
        did: whether the unit did the behaviour.
        nuisance: predictions per unit, from models that were not fitted on the unit; else the error is too small.
        alpha: two-sided error rate.
        unit: number of each row's unit, where a unit has several rows; the error is then clustered by unit.

    Returns:
        mean(m1 - m0 + D(R-m1)/e - (1-D)(R-m0)/(1-e)), error sd/sqrt(n), e clipped to [.02, .98].
        ``NO_OVERLAP`` when more than 10 % is clipped or a group's weights leave less than 10 % of it.

    Raises:
        ValueError: if alpha isn't between 0 and 1.

    Source: Robins, Rotnitzky and Zhao 1994; Chernozhukov et al. 2018; Liang and Zeger 1986 (clustered error).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    n, n_with = len(outcome), int(did.sum())
    if min(n_with, n - n_with) < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": min(n_with, n - n_with), "needed": 2})
    overlap = measure_overlap(did, nuisance.propensity)
    if not overlap.is_enough:
        smallest = min(overlap.effective_with, overlap.effective_without)
        return NotComputable(Reason.NO_OVERLAP, {"clipped": overlap.clipped, "effective": smallest})
    propensity = np.clip(nuisance.propensity, CLIP, 1 - CLIP)
    with_it = nuisance.mean_with + did * (outcome - nuisance.mean_with) / propensity
    without = nuisance.mean_without + ~did * (outcome - nuisance.mean_without) / (1 - propensity)
    error = _error_of_mean(with_it - without, unit)
    if error == 0:
        return NotComputable(Reason.NO_VARIANCE)
    means = float(with_it.mean()), float(without.mean())
    difference = normal_difference(means[0] - means[1], error, alpha=alpha)
    ratio = _ratio(with_it, without, alpha, unit)
    units = n if unit is None else len(np.unique(unit))
    return Adjusted(difference, ratio, *means, n_with, n - n_with, overlap, nuisance.models, units)


def measure_overlap(did: Flags, propensity: Floats) -> Overlap:
    """Clipped and outside shares, and the effective share of each group under its weights D/e and (1-D)/(1-e)."""
    clipped = np.clip(propensity, CLIP, 1 - CLIP)

    def effective(weights: Floats) -> float:
        return float(weights.sum() ** 2 / (weights**2).sum() / len(weights))

    return Overlap(
        clipped=float((propensity != clipped).mean()),
        outside=float(((propensity < OUTSIDE) | (propensity > 1 - OUTSIDE)).mean()),
        effective_with=effective(1 / clipped[did]),
        effective_without=effective(1 / (1 - clipped[~did])),
    )


def adjust(
    outcome: Floats,
    did: Flags,
    covariates: Floats,
    *,
    seed: int,
    alpha: float = 0.05,
    max_units: int = MAX_UNITS,
    unit: Codes | None = None,
    progress: Progress = silent,
) -> Adjusted | NotComputable:
    """AIPW with our own cross-fitted models, on at most `max_units` rows drawn with the stored seed.

    Args:
        outcome: outcome per unit, 0/1 or numeric.
        did: whether the unit did the behaviour.
        covariates: units x columns, numbers without gaps. No column at all gives the raw difference.
        seed: of the sample, the folds and the models. The same seed gives the same result.
        alpha: two-sided error rate.
        max_units: rows beyond this number are left out by a draw, of whole units where `unit` is given.
        unit: number of each row's unit, where a unit has several rows.
        progress: called with the stage and the share done, 0 to 1.

    Returns:
        As `weigh`; ``TOO_FEW_FOR_MODEL`` with fewer than 50 units in a group.
    """
    if len(outcome) > max_units:
        rows = draw_rows(len(outcome), max_units, seed=seed, unit=unit)
        outcome, did, covariates = outcome[rows], did[rows], covariates[rows]
        unit = None if unit is None else unit[rows]
    smallest = min(int(did.sum()), int((~did).sum()))
    if smallest < FEWEST_PER_GROUP:
        return NotComputable(Reason.TOO_FEW_FOR_MODEL, {"n": smallest, "needed": FEWEST_PER_GROUP})
    nuisance = fit_nuisance(outcome, did, covariates, seed=seed, unit=unit, progress=progress)
    return weigh(outcome, did, nuisance, alpha=alpha, unit=unit)


def draw_rows(n: int, most: int, *, seed: int, unit: Codes | None = None) -> Codes:
    """Indices of at most `most` of n rows, ascending; with `unit` all rows of a unit are drawn, or none."""
    rng = np.random.default_rng(seed)
    if unit is None:
        return np.sort(rng.choice(n, min(most, n), replace=False))
    units, place, rows = np.unique(unit, return_inverse=True, return_counts=True)
    order = rng.permutation(len(units))
    drawn = order[np.cumsum(rows[order]) <= most]
    return np.flatnonzero(np.isin(place, drawn))


def _error_of_mean(values: Floats, unit: Codes | None) -> float:
    """Standard error of the mean: of independent rows, or summed within units with G / (G - 1) for G units."""
    n = len(values)
    if unit is None:
        return float(values.std(ddof=1)) / sqrt(n)
    sums = np.bincount(np.unique(unit, return_inverse=True)[1], weights=values - values.mean())
    return sqrt(float((sums**2).sum()) * len(sums) / max(len(sums) - 1, 1)) / n


def _ratio(with_it: Floats, without: Floats, alpha: float, unit: Codes | None) -> RiskRatio | NotComputable:
    """Ratio of the potential means; the error of its logarithm is that of psi1/mean1 - psi0/mean0."""
    top, bottom = float(with_it.mean()), float(without.mean())
    if min(top, bottom) <= 0:
        return NotComputable(Reason.MEANS_NOT_POSITIVE)
    error = _error_of_mean(with_it / top - without / bottom, unit)
    half, centre = float(stats.norm.isf(alpha / 2)) * error, log(top / bottom)
    if abs(centre) + half > LARGEST_LOG:
        return NotComputable(Reason.MEANS_NOT_POSITIVE)
    return RiskRatio(top / bottom, exp(centre - half), exp(centre + half), 1 - alpha)
