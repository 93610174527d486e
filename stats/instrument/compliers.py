"""Compliers, the users whom the nudge moved: their share, outcome levels, and traits compared with all users."""

from dataclasses import dataclass

import numpy as np

from stats.cells import cross_counts, joint_of_counts, mean_of_product
from stats.compare import wilson
from stats.instrument.anderson_rubin import AndersonRubin, anderson_rubin
from stats.instrument.encouragement import NO_FIRST_STAGE_BELOW, wald
from stats.iv_moments import IvMoments, iv_moments
from stats.results import Estimate, Interval, NotComputable, Reason, check_alpha, computable
from stats.summaries import Joint


@dataclass(frozen=True)
class Shares:
    """Shares of the three kinds of users, 0 to 1; they sum to 1. Individual users can't be classified.

    Attributes:
        compliers: reach the behaviour only if nudged: the first stage. Below 0 when the nudge lowered the behaviour.
        always_takers: reach it anyway: the control's take-up.
        never_takers: don't reach it even if nudged: 1 minus the variant's take-up.
    """

    compliers: Interval
    always_takers: Interval
    never_takers: Interval


@dataclass(frozen=True)
class Level:
    """Mean of a variable among compliers.

    Attributes:
        value: the mean, in its own unit.
        error: the same with its delta-method error and interval; not computable for columns that aren't 0/1, whose
            products' variances don't follow from the moments, and where nothing varies.
        limits: Anderson-Rubin set of the mean, which holds for a weak nudge as well; computable whenever ``error`` is.
    """

    value: float
    error: Estimate | NotComputable
    limits: AndersonRubin | NotComputable

    @property
    def impossible(self) -> bool:
        """Red flag: the mean of a 0/1 column lies outside [0, 1] by more than its interval."""
        return computable(self.error) and (self.error.high < 0 or self.error.low > 1)


@dataclass(frozen=True)
class Levels:
    """The outcome of compliers, with and without the nudge; their difference is the effect on compliers (Wald).

    Attributes:
        nudged: E[R1 | complier].
        control: E[R0 | complier].
    """

    nudged: Level
    control: Level

    @property
    def impossible(self) -> bool:
        """Whether either level is impossible: exclusion or monotonicity is then in doubt."""
        return self.nudged.impossible or self.control.impossible


@dataclass(frozen=True)
class Trait:
    """A variable known before assignment, among compliers compared with everybody.

    Attributes:
        everybody: its mean over both arms.
        compliers: its mean among compliers.
        ratio: compliers' mean over everybody's; 1.5 of a 0/1 variable: it is 1.5 times as frequent among compliers.
    """

    everybody: float
    compliers: Level
    ratio: float | NotComputable


def complier_shares(control: Joint, variant: Joint, *, alpha: float = 0.05) -> Shares | NotComputable:
    """Shares of compliers (normal interval), always-takers and never-takers (Wilson's).

    Needs monotonicity: nobody reaches the behaviour less because of the nudge.

    Args:
        control: moments of (R, D).
        variant: the same.
        alpha: two-sided error rate of each interval.

    Source: Angrist, Imbens and Rubin 1996; docs/methods/encouragement.md, "Complier shares, levels, traits".
    """
    check_alpha(alpha)
    moments = iv_moments(control, variant)
    if isinstance(moments, NotComputable):
        return moments
    take_up = [arm.column(1) for arm in (control, variant)]
    if not all(column.is_proportion for column in take_up):
        return NotComputable(Reason.NOT_A_PROPORTION)
    half = moments.critical_value(alpha) * moments.v_d**0.5
    first = moments.first_stage
    always = wilson(take_up[0].successes, control.n, alpha=alpha)
    never = wilson(variant.n - take_up[1].successes, variant.n, alpha=alpha)
    if isinstance(always, NotComputable) or isinstance(never, NotComputable):
        return NotComputable(Reason.NO_DATA)
    return Shares(Interval(first, first - half, first + half, 1 - alpha, "first-stage"), always, never)


def complier_levels(control: Joint, variant: Joint, *, alpha: float = 0.05) -> Levels | NotComputable:
    """E[R1 | complier] and E[R0 | complier]: each is a Wald ratio, with errors and sets as for ``wald``.

    The first has the outcome R*D over the behaviour D, the second R*(D-1).

    Args:
        control: moments of (R, D).
        variant: the same.
        alpha: two-sided error rate.

    Source: Imbens and Rubin 1997; Abadie 2002; docs/methods/encouragement.md, "Complier shares, levels, traits".
    """
    check_alpha(alpha)
    nudged = _level(control, variant, minus=False, alpha=alpha)
    plain = _level(control, variant, minus=True, alpha=alpha)
    if isinstance(nudged, NotComputable):
        return nudged
    if isinstance(plain, NotComputable):
        return plain
    return Levels(nudged, plain)


def complier_trait(control: Joint, variant: Joint, *, alpha: float = 0.05) -> Trait | NotComputable:
    """Mean of a variable among compliers, (E[XD|1] - E[XD|0]) / first stage, compared with everybody.

    Args:
        control: moments of (X, D), X known before assignment: the nudge must not be able to move it.
        variant: the same.
        alpha: two-sided error rate.

    Source: Abadie 2003; Angrist and Pischke 2009, section 4.4.4; docs/methods/encouragement.md.
    """
    check_alpha(alpha)
    level = _level(control, variant, minus=False, alpha=alpha)
    if isinstance(level, NotComputable):
        return level
    everybody = float((control + variant).means[0])
    ratio = level.value / everybody if everybody != 0 else NotComputable(Reason.NO_DENOMINATOR)
    return Trait(everybody, level, ratio)


def _level(control: Joint, variant: Joint, *, minus: bool, alpha: float) -> Level | NotComputable:
    plain = iv_moments(control, variant)
    if isinstance(plain, NotComputable):
        return plain
    # A nudge that moved nobody has no compliers: return the ratio's own reason.
    if abs(plain.first_stage) <= NO_FIRST_STAGE_BELOW * plain.v_d**0.5:
        return NotComputable(Reason.NO_FIRST_STAGE)
    products = [mean_of_product(arm) - (float(arm.means[0]) if minus else 0.0) for arm in (control, variant)]
    value = (products[1] - products[0]) / plain.first_stage
    moments = _product_moments(control, variant, minus=minus)
    if isinstance(moments, NotComputable):
        return Level(value, moments, moments)
    return Level(value, wald(moments, alpha=alpha), anderson_rubin(moments, alpha=alpha))


def _product_moments(control: Joint, variant: Joint, *, minus: bool) -> IvMoments | NotComputable:
    """Moments of (R*D, D), or with ``minus`` of (R*(D-1), D), of 0/1 columns."""
    arms = []
    for arm in (control, variant):
        counts = cross_counts(arm)
        if isinstance(counts, NotComputable):
            return counts
        (_, did), (kept_without, kept_with) = counts.tolist()
        n = int(counts.sum())
        if not minus:
            arms.append(joint_of_counts([[n - did - kept_with, did], [0, kept_with]]))
            continue
        # R*(D-1) is -1 for those with R = 1 and D = 0.
        plain = joint_of_counts([[n - did - kept_with - kept_without, did + kept_with], [kept_without, 0]])
        turn = np.array([-1.0, 1.0])
        arms.append(Joint(plain.n, plain.means * turn, plain.covariance * np.outer(turn, turn)))
    return iv_moments(*arms)
