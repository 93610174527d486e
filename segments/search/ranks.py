"""Rank measures of two groups, ties counted half (AUC, Cliff's delta). Computed by sorting, not over all pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True)
class Auc:
    """Probability that a unit with the outcome scores higher than one without it, 0 to 1; 0.5 is no skill.

    Attributes:
        estimate: the area under the ROC curve, ties counted half.
        standard_error: DeLong's.
        low, high: normal interval, cut to 0 and 1.
    """

    estimate: float
    standard_error: float
    low: float
    high: float


def placements(values: Floats, among: Floats) -> Floats:
    """For each value the share of `among` below it, ties counted half; 0 to 1, shape of `values`."""
    ordered = np.sort(among)
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    return np.asarray((below + not_above) / (2 * len(ordered)), dtype=np.float64)


def auc(scores: Sequence[Floats], outcome: Flags, *, alpha: float = 0.05) -> Auc:
    """Area under the ROC curve; of several score vectors for the same units, the mean of their areas.

    Args:
        scores: one or more arrays of one score per unit, for example one per repeat of a cross-fit.
        outcome: true for the units that should score higher. Both kinds must be there.
        alpha: two-sided error rate of the interval.

    Raises:
        ValueError: if one of the two groups has fewer than two units.

    Source: DeLong, DeLong and Clarke-Pearson 1988; Sun and Xu 2014 for the computation by ranks.
    """
    if min(outcome.sum(), (~outcome).sum()) < 2:
        raise ValueError("an area under the curve needs two units with the outcome and two without")
    with_it = np.mean([placements(score[outcome], score[~outcome]) for score in scores], axis=0)
    without = np.mean([placements(score[~outcome], score[outcome]) for score in scores], axis=0)
    estimate = float(with_it.mean())
    error = sqrt(float(with_it.var(ddof=1)) / len(with_it) + float(without.var(ddof=1)) / len(without))
    half = error * float(stats.norm.isf(alpha / 2))
    return Auc(estimate, error, max(estimate - half, 0.0), min(estimate + half, 1.0))


def spearman(first: Floats, second: Floats) -> float:
    """Rank correlation, -1 to 1; both must vary. Source: Spearman 1904."""
    return float(np.corrcoef(stats.rankdata(first), stats.rankdata(second))[0, 1])


def standardised_difference(first: Floats, second: Floats) -> float | None:
    """Mean of the second minus mean of the first, in units of the root mean of both variances. None without variance.

    Source: Cohen 1988; Austin 2009.
    """
    spread = sqrt((float(first.var(ddof=1)) + float(second.var(ddof=1))) / 2)
    return None if spread == 0 else (float(second.mean()) - float(first.mean())) / spread
