"""Churn by group: shares, survival curves, and whether the groups differ. Measured after the window."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from segments.search.ranks import Flags, Floats, Ints
from stats.multiplicity import benjamini_hochberg
from stats.results import NotComputable, Reason, computable
from stats.score import wilson_limits
from stats.survival.kaplan_meier import Durations, kaplan_meier

SMALLEST_SHOWN = 50


@dataclass(frozen=True)
class Share:
    """A share with its n and its 95 % Wilson interval, all shares 0 to 1."""

    count: int
    n: int
    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Residual:
    """Deviation of a cluster's number of leavers from the expected number.

    Attributes:
        value: adjusted standardised residual, standard normal without association; positive when more leave.
        p_value: two-sided.
        adjusted_p_value: Benjamini-Hochberg over the clusters shown.
    """

    value: float
    p_value: float
    adjusted_p_value: float


@dataclass(frozen=True)
class Curve:
    """Kaplan-Meier curve of staying.

    Attributes:
        days: days on which somebody left, ascending.
        at_risk: units still observed and not churned just before that day.
        survival: share not churned after that day, 0 to 1.
        low, high: 95 % log-log interval; None where the curve is 0 and Greenwood's error is undefined.
    """

    days: tuple[float, ...]
    at_risk: tuple[int, ...]
    survival: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True)
class Association:
    """Association of churn and cluster: chi-square over clusters of at least 50 units, and Cramér's V."""

    statistic: float
    df: int
    p_value: float
    cramers_v: float


def rate(count: int, n: int) -> Share:
    """A share with its 95 % Wilson interval; n is at least 1."""
    low, high = wilson_limits(count, n)
    return Share(count, n, count / n, float(low), float(high))


def share(flags: Flags | None, mine: Flags) -> Share | NotComputable:
    """Share of the members with the flag; ``NotComputable`` below 50 members, or without flags."""
    if flags is None:
        return NotComputable(Reason.NO_DATA)
    n = int(mine.sum())
    return too_small(n) or rate(int(flags[mine].sum()), n)


def too_small(n: int) -> NotComputable | None:
    """The reason why a group of this size isn't shown, or None."""
    return NotComputable(Reason.SMALL_GROUP, {"n": n, "needed": SMALLEST_SHOWN}) if n < SMALLEST_SHOWN else None


def curve(duration: Floats, churned: Flags) -> Curve | NotComputable:
    """Kaplan-Meier with log-log intervals.

    Args:
        duration: days to churn, or to the end of observation.
        churned: whether churn was observed.

    Returns:
        The curve at the days of churn, empty when nobody left; ``NotComputable(SMALL_GROUP)`` below 50 units.

    Source: Kaplan and Meier 1958; Greenwood 1926; docs/methods/survival.md, "Kaplan-Meier curve".
    """
    survival = too_small(len(duration)) or kaplan_meier(Durations.from_values(duration, churned))
    if isinstance(survival, NotComputable):
        return survival
    limits = [step.interval if computable(step.interval) else None for step in survival.steps]
    return Curve(
        days=tuple(step.time for step in survival.steps),
        at_risk=tuple(step.at_risk for step in survival.steps),
        survival=tuple(step.survival for step in survival.steps),
        low=tuple(None if limit is None else limit.low for limit in limits),
        high=tuple(None if limit is None else limit.high for limit in limits),
    )


def leaving(labels: Ints, retained: Flags) -> tuple[dict[int, Residual | NotComputable], Association | NotComputable]:
    """Residual of each cluster's leavers, and the association of all clusters of at least 50 units.

    Args:
        labels: cluster per unit, negative for none.
        retained: whether the unit was retained.

    Source: Haberman 1973 (adjusted residuals); Cramér 1946; Benjamini and Hochberg 1995.
    """
    numbers, sizes = np.unique(labels[labels >= 0], return_counts=True)
    residuals: dict[int, Residual | NotComputable] = {}
    for number, size in zip(numbers.tolist(), sizes.tolist(), strict=True):
        residuals[number] = too_small(size) or NotComputable(Reason.NO_VARIANCE)
    shown = sizes >= SMALLEST_SHOWN
    left = np.array([int((~retained[labels == number]).sum()) for number in numbers[shown]], dtype=np.int64)
    table = np.column_stack([left, sizes[shown] - left])
    if len(left) < 2:
        return residuals, NotComputable(Reason.TOO_FEW_STRATA)
    if (table.sum(axis=0) == 0).any():
        return residuals, NotComputable(Reason.NO_VARIANCE)
    rows, share_left = table.sum(axis=1), left.sum() / table.sum()
    error = np.sqrt(rows * share_left * (1 - share_left) * (1 - rows / table.sum()))
    values = (left - rows * share_left) / error
    p_values = (2 * stats.norm.sf(np.abs(values))).tolist()
    for number, value, p, q in zip(
        numbers[shown].tolist(), values.tolist(), p_values, benjamini_hochberg(p_values), strict=True
    ):
        residuals[number] = Residual(value, p, q)
    test = stats.chi2_contingency(table, correction=False)
    v = float(stats.contingency.association(table, method="cramer"))
    return residuals, Association(float(test.statistic), int(test.dof), float(test.pvalue), v)
