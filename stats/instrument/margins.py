"""Nudges of different strength move different users: the behaviour's effect at each margin, and whether these agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin, sqrt

import numpy as np
from scipy import optimize, stats

from stats.instrument.anderson_rubin import AndersonRubin, anderson_rubin
from stats.instrument.arms import effects_of, refused
from stats.instrument.encouragement import wald
from stats.iv_moments import iv_moments
from stats.results import Estimate, NotComputable, Reason, check_alpha, computable
from stats.summaries import Array, Joint

# Directions of the effect to try before the best one is refined.
DIRECTIONS = 360


@dataclass(frozen=True)
class Margin:
    """Users who reach the behaviour under one nudge and not under the next weaker one.

    Attributes:
        weaker: index of the weaker arm; 0 is control.
        stronger: index of the stronger arm.
        take_up_low: share of the weaker arm that reaches the behaviour.
        take_up_high: that of the stronger one.
        effect: of the behaviour on the users between both, the Wald ratio of the two arms.
        effect_set: its Anderson-Rubin set, which decides.
    """

    weaker: int
    stronger: int
    take_up_low: float
    take_up_high: float
    effect: Estimate | NotComputable
    effect_set: AndersonRubin | NotComputable


@dataclass(frozen=True)
class Margins:
    """The effect at each margin, from users whom any nudge moves to those whom only the strongest moves.

    Attributes:
        rows: by rising take-up.
        statistic: smallest Anderson-Rubin statistic of all arms together over common effects.
        degrees_of_freedom: margins less one.
        p_value: upper tail: small when no common effect fits, so that the effect on those moved isn't everybody's.
    """

    rows: tuple[Margin, ...]
    statistic: float
    degrees_of_freedom: int
    p_value: float


def effect_at_margins(control: Joint, arms: Sequence[Joint], *, alpha: float = 0.05) -> Margins | NotComputable:
    """Effects between arms adjacent in take-up, and the test that they are one common effect.

    With monotonicity along the arms, arm k against arm k-1 compares users who differ in the nudge alone and of whom the
    stronger nudge moves those between both take-ups: a ratio of its own, an average of marginal effects between the
    two. Only the order of the arms is taken from the data; if two take-ups can't be distinguished, their set is
    unbounded in either order. The statistic doesn't depend on the order: it is that of the differences to control,
    minimised over a common effect, and bounded by a chi-square(m-1) for nudges of any strength.

    Args:
        control: moments of (R, D, ...).
        arms: the same columns of each nudged arm, at least two.
        alpha: two-sided error rate of each interval and set.

    Source: Brinch, Mogstad and Wiswall 2017, section II; Heckman and Vytlacil 2005; Anderson and Rubin 1949;
    Guggenberger, Kleibergen, Mavroeidis and Chen 2012 for the minimum; docs/methods/encouragement.md.
    """
    check_alpha(alpha)
    if missing := refused(control, arms, least=2):
        return missing
    groups = [control, *arms]
    if any(not np.diag(group.covariance)[:2].all() for group in groups):
        return NotComputable(Reason.NO_VARIANCE)
    order = sorted(range(len(groups)), key=lambda place: float(groups[place].means[1]))
    rows = tuple(_margin(groups, low, high, alpha) for low, high in pairwise(order))
    statistic = _smallest(control, arms)
    degrees = len(arms) - 1
    return Margins(rows, statistic, degrees, float(stats.chi2.sf(statistic, degrees)))


def _margin(groups: Sequence[Joint], low: int, high: int, alpha: float) -> Margin:
    take_up = (float(groups[low].means[1]), float(groups[high].means[1]))
    moments = iv_moments(groups[low].take(0, 1), groups[high].take(0, 1))
    if not computable(moments):
        return Margin(low, high, *take_up, moments, moments)
    return Margin(low, high, *take_up, wald(moments, alpha=alpha), anderson_rubin(moments, alpha=alpha))


def _smallest(control: Joint, arms: Sequence[Joint]) -> float:
    """Minimum over b of diff(b)' V(b)^-1 diff(b), as a function of the angle whose tangent b is: b may be infinite."""
    groups = (control, *arms)
    scale = [sqrt(sum(float(group.covariance[i, i]) / group.n for group in groups)) for i in (0, 1)]
    itt, first = (values / size for values, size in zip(effects_of(control, arms, 1), scale, strict=True))
    parts = [group.covariance[:2, :2] / group.n / np.outer(scale, scale) for group in groups]

    def statistic(angle: float) -> float:
        weights = np.array([cos(angle), -sin(angle)])
        gap: Array = weights[0] * itt + weights[1] * first
        v = np.array([float(weights @ part @ weights) for part in parts])
        return float(gap @ np.linalg.solve(np.diag(v[1:]) + v[0], gap))

    step = pi / DIRECTIONS
    best = min((place * step for place in range(DIRECTIONS)), key=statistic)
    around = (best - step, best + step)
    minimum = optimize.minimize_scalar(statistic, bounds=around, method="bounded", options={"xatol": 1e-10})
    return min(float(minimum.fun), statistic(best))
