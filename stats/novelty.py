"""Does the effect hold for later enrolment weeks, or did it fade? Units of every week are judged at the same age."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import sqrt

import numpy as np

from stats.compare import by_z, compare_unpooled
from stats.results import Estimate, NotComputable, Reason, check_alpha
from stats.stratified import Heterogeneity, heterogeneity
from stats.summaries import Mean

# docs/methods/survival.md, "Effect by enrolment week": groups smaller than this aren't tested on their own.
FEWEST_UNITS = 50
FEWEST_EVENTS = 10
DAYS_PER_WEEK = 7


class Change(StrEnum):
    """Trend of the effect over enrolment weeks."""

    FADES = "fades"
    GROWS = "grows"
    TURNS = "turns"
    NONE_DETECTED = "none_detected"


@dataclass(frozen=True)
class WeekEffect:
    """Effect in the units of one enrolment week.

    Attributes:
        week: Monday of the week of first exposure.
        control_n: mature units of control.
        variant_n: mature units of the variant.
        effect: variant minus control by the unpooled z, or why it is missing.
        tested: whether the week is large enough to enter heterogeneity and trend.
    """

    week: date
    control_n: int
    variant_n: int
    effect: Estimate | NotComputable
    tested: bool


@dataclass(frozen=True)
class Trend:
    """Straight line through the weekly effects, weighted by their precision.

    Attributes:
        slope: change of the effect per week of later enrolment, in the outcome's unit, with interval and z test.
        first: fitted effect of the first tested week.
        last: fitted effect of the last tested week.
        change: the trend's direction, at the slope's level.
    """

    slope: Estimate
    first: Estimate
    last: Estimate
    change: Change


@dataclass(frozen=True)
class Novelty:
    """Effect by enrolment week.

    Attributes:
        weeks: one entry per given week, ascending.
        heterogeneity: Cochran's Q over the tested weeks: tests for any difference between weeks.
        trend: a steady rise or fall over the tested weeks.
    """

    weeks: tuple[WeekEffect, ...]
    heterogeneity: Heterogeneity | NotComputable
    trend: Trend | NotComputable


def effect_by_week(weeks: Sequence[tuple[date, Mean, Mean]], *, alpha: float = 0.05) -> Novelty:
    """Effect by enrolment week, whether weeks differ, and whether the effect fades or grows.

    Args:
        weeks: (Monday, control, variant) of mature units, each week once, in any order.
        alpha: two-sided error rate.

    Returns:
        Weeks below 50 units in an arm, or for shares below 10 units with or 10 without the outcome in both arms
        together, are shown but not tested. Trend and heterogeneity are ``TOO_FEW_WEEKS`` below three and two tested
        weeks: through two weeks a line always fits.

    Raises:
        ValueError: if a week is given twice.

    Source: Cochran 1954 (Q); fixed-effect meta-regression, Thompson and Higgins 2002; docs/methods/survival.md.
    """
    check_alpha(alpha)
    if len({week for week, _, _ in weeks}) < len(weeks):
        raise ValueError("each week may be given once")
    rows = tuple(_week(*row, alpha=alpha) for row in sorted(weeks, key=lambda row: row[0]))
    tested = [(row.week, row.effect) for row in rows if row.tested and isinstance(row.effect, Estimate)]
    if len(tested) < 2:
        few = NotComputable(Reason.TOO_FEW_WEEKS, {"n": len(tested), "needed": 2})
        return Novelty(rows, few, few)
    return Novelty(rows, heterogeneity([effect for _, effect in tested]), linear_trend(tested, alpha=alpha))


def linear_trend(effects: Sequence[tuple[date, Estimate]], *, alpha: float = 0.05) -> Trend | NotComputable:
    """Weighted least squares of effect on week, weights 1/SE^2 taken as known, tested by z.

    Args:
        effects: (week, effect with a standard error above 0), in any order.
        alpha: two-sided error rate of the slope.

    Returns:
        ``NONE_DETECTED`` unless the slope's p < alpha. Otherwise ``TURNS`` when the fitted first and last effect differ
        from 0 on opposite sides, ``GROWS`` when the last is farther from 0 than the first, else ``FADES``.

    Source: Thompson and Higgins 2002 (fixed-effect meta-regression).
    """
    check_alpha(alpha)
    # Counted from the first week: as days since year 1 their spread would be lost in rounding.
    start = min((week for week, _ in effects), default=date.min)
    weeks = np.array([(week - start).days / DAYS_PER_WEEK for week, _ in effects])
    if len(np.unique(weeks)) < 3:
        return NotComputable(Reason.TOO_FEW_WEEKS, {"n": len(np.unique(weeks)), "needed": 3})
    weights = np.array([effect.standard_error for _, effect in effects]) ** -2.0
    values = np.array([effect.estimate for _, effect in effects])
    middle = float((weights * weeks).sum() / weights.sum())
    centred = weeks - middle
    spread = float((weights * centred**2).sum())
    level = float((weights * values).sum() / weights.sum())
    rise = float((weights * centred * (values - level)).sum()) / spread
    slope = by_z(rise, spread**-0.5, alpha, "weekly-trend")

    def fitted(at: float) -> Estimate:
        error = sqrt(1 / float(weights.sum()) + (at - middle) ** 2 / spread)
        return by_z(level + slope.estimate * (at - middle), error, alpha, "weekly-trend")

    first, last = fitted(float(weeks.min())), fitted(float(weeks.max()))
    return Trend(slope, first, last, _change(slope, first, last, alpha))


def _change(slope: Estimate, first: Estimate, last: Estimate, alpha: float) -> Change:
    if slope.p_value >= alpha:
        return Change.NONE_DETECTED
    if first.p_value < alpha and last.p_value < alpha and first.estimate * last.estimate < 0:
        return Change.TURNS
    return Change.GROWS if abs(last.estimate) > abs(first.estimate) else Change.FADES


def _week(week: date, control: Mean, variant: Mean, *, alpha: float) -> WeekEffect:
    # Unpooled, so that estimate and error fit together in the weights of Q and of the line.
    effect = compare_unpooled(control, variant, alpha=alpha)
    large = min(control.n, variant.n) >= FEWEST_UNITS
    if control.is_proportion and variant.is_proportion:
        ones, n = control.successes + variant.successes, control.n + variant.n
        large = large and min(ones, n - ones) >= FEWEST_EVENTS
    return WeekEffect(week, control.n, variant.n, effect, large and isinstance(effect, Estimate))
