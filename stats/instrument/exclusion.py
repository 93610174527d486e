"""How strongly the exclusion restriction must fail before nothing is known about the behaviour's effect.

The nudge's *direct effect* g is its effect on the outcome that doesn't go through the behaviour. No test can detect a
small g, so these numbers show how large it would have to be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import copysign, sqrt

from stats.instrument.anderson_rubin import AndersonRubin, Shape, anderson_rubin
from stats.instrument.compliers import complier_levels
from stats.instrument.encouragement import TakeUp
from stats.iv_moments import IvMoments
from stats.results import Estimate, NotComputable, Reason, check_alpha, computable
from stats.summaries import Joint

# The default grid goes from 0 to one and a half breakdown values; the breakdown value is its eighth step.
STEPS, BREAKDOWN_STEP = 12, 8
# A group whose behaviour the nudge can't move: its first stage lies within this share of everybody's.
ZERO_BAND = 0.25
SMALLEST_GROUP = 50  # units of an arm


@dataclass(frozen=True)
class DirectRow:
    """The effects of the behaviour that the data don't reject, given this direct effect of the nudge.

    Attributes:
        direct: assumed direct effect of being nudged, in the outcome's unit (0.01 = one point of a share).
        shape: of the set, as in ``AndersonRubin``.
        low: see there.
        high: see there.
    """

    direct: float
    shape: Shape
    low: float | None
    high: float | None


@dataclass(frozen=True)
class DirectRange:
    """A registered range of direct effects, and the behaviour's effect given that range.

    Attributes:
        low: smallest direct effect allowed, in the outcome's unit.
        high: largest.
        effect_set: union of the sets under every direct effect of the range.
    """

    low: float
    high: float
    effect_set: AndersonRubin


@dataclass(frozen=True)
class ZeroFirstStage:
    """A group, known before assignment, whose behaviour the nudge can't move: it shows the direct effect itself.

    Attributes:
        group: segment, or level of a covariate.
        units: of both arms.
        take_up: its first stage, with an interval inside the band.
        band: half width of that band, a quarter of everybody's first stage, in share of units.
        direct: effect of the nudge inside the group, with its interval: an estimate of the direct effect.
        effect_set: effects of the behaviour among everybody else after subtracting that direct effect, with its error.
    """

    group: str
    units: int
    take_up: TakeUp
    band: float
    direct: Estimate
    effect_set: AndersonRubin


def breakdown_value(moments: IvMoments, critical: float) -> float | NotComputable:
    """g* = |ITT| - c sqrt(V_R), with the sign of ITT: with a larger direct effect nothing is shown.

    It is the end of ITT's interval nearer to 0. If the behaviour has no effect, the true ITT is the direct effect,
    which the breakdown value therefore exceeds in at most half of the interval's error rate.

    Args:
        moments: of the comparison that decides.
        critical: two-sided critical value of the test of ITT: that of the look, of several arms that may lead that of
            alpha over their number, and between clusters of the t law.

    Returns:
        The value in the outcome's unit (0.01 = one point of a share): positive for a gain, negative for a loss; or
        ``NotComputable(NUDGE_NOT_PROVED)`` where the interval of ITT reaches 0.

    Source: Conley, Hansen and Rossi 2012; docs/methods/encouragement.md, "How much exclusion must fail".
    """
    _check_critical(critical)
    left = abs(moments.itt) - critical * sqrt(moments.v_r)
    if left <= 0:
        return NotComputable(Reason.NUDGE_NOT_PROVED)
    return copysign(left, moments.itt)


def default_range(breakdown: float) -> tuple[float, ...]:
    """Direct effects from 0 to 1.5 breakdown values; the breakdown value itself is exactly one of them."""
    return tuple(step * breakdown / BREAKDOWN_STEP for step in range(STEPS + 1))


def range_grid(low: float, high: float, breakdown: float | NotComputable) -> tuple[float, ...]:
    """Evenly spaced direct effects of a registered range, with the breakdown value if it lies inside."""
    even = [low + step * (high - low) / STEPS for step in range(STEPS)] + [high]
    inside = [breakdown] if computable(breakdown) and low < breakdown < high else []
    return tuple(sorted({*even, *inside}))


def sensitivity(
    moments: IvMoments, directs: Sequence[float], *, critical: float, alpha: float = 0.05
) -> tuple[DirectRow, ...]:
    """S(g) = {b : (ITT - g - b FS)^2 <= c^2 (V_R - 2 b C_RD + b^2 V_D)} for each direct effect g.

    Args:
        moments: of the comparison that decides.
        directs: assumed direct effects, in the outcome's unit.
        critical: critical value c of the squared z, as for the set that decides.
        alpha: two-sided error rate that this value stands for; names the level.

    Returns:
        One row for each direct effect, in their order; the one of 0 is the Anderson-Rubin set itself.

    Source: Conley, Hansen and Rossi 2012, section 3.1; docs/methods/encouragement.md, "How much exclusion must fail".
    """
    _check_critical(critical)
    rows = []
    for direct in directs:
        effect_set = anderson_rubin(replace(moments, itt=moments.itt - direct), q=critical**2, alpha=alpha)
        rows.append(DirectRow(direct, effect_set.shape, effect_set.low, effect_set.high))
    return tuple(rows)


def union_of_sets(
    moments: IvMoments, lowest: float, highest: float, *, critical: float, alpha: float = 0.05
) -> AndersonRubin:
    """All effects that the data don't reject for some direct effect between two numbers.

    A bounded set moves monotonically with g, so that its ends at both numbers are the union's ends. If the first stage
    isn't significant at this critical value, the union can have three pieces; the whole line is then returned.

    Args:
        moments: of the comparison that decides.
        lowest: smallest direct effect allowed, in the outcome's unit.
        highest: largest, not below ``lowest``.
        critical: as for ``sensitivity``.
        alpha: as for ``sensitivity``.

    Source: Conley, Hansen and Rossi 2012, section 3.1 (union of intervals); docs/methods/encouragement.md.
    """
    if not lowest <= highest:
        raise ValueError(f"the smallest direct effect, {lowest}, is larger than the largest, {highest}")
    check_alpha(alpha)
    ends = []
    for row in sensitivity(moments, (lowest, highest), critical=critical, alpha=alpha):
        if row.shape is not Shape.INTERVAL or row.low is None or row.high is None:
            return AndersonRubin(Shape.LINE, None, None, 1 - alpha)
        ends += [row.low, row.high]
    return AndersonRubin(Shape.INTERVAL, min(ends), max(ends), 1 - alpha)


def blind_spot(control: Joint, variant: Joint, *, sign: int = 1) -> float | NotComputable:
    """Direct effects up to this size violate no instrument inequality: no number of units detects them.

    A direct effect g > 0 on everybody breaks "R = 1, not D" once never-takers * g > compliers * E[R0 | compliers], and
    "R = 0, D" once always-takers * g > compliers * (1 - E[R1 | compliers]). The smaller limit counts. For g < 0, R = 1
    and R = 0 are swapped. Computed as if the nudge were valid: with a direct effect at work the limit is larger.

    Args:
        control: moments of (R, D), both 0/1.
        variant: the same.
        sign: 1 for a direct effect that adds to R, -1 for one that takes from it.

    Returns:
        The limit, at least 0, as a share of units (0.01 = one point); not computable without compliers, or if everybody
        is one.

    Source: Kitagawa 2015; Huber and Mellace 2015; docs/methods/encouragement.md, "How much exclusion must fail".
    """
    levels = complier_levels(control, variant)
    if not computable(levels):
        return levels
    take_up = (float(control.means[1]), float(variant.means[1]))
    compliers = take_up[1] - take_up[0]
    if compliers < 0:
        return NotComputable(Reason.NO_FIRST_STAGE)
    without, nudged = levels.control.value, levels.nudged.value
    never, always = (without, 1 - nudged) if sign > 0 else (1 - without, nudged)
    limits = [
        max(compliers * level, 0.0) / share
        for share, level in ((1 - take_up[1], never), (take_up[0], always))
        if share > 0
    ]
    return min(limits) if limits else NotComputable(Reason.NO_DATA)


def unmoved_group(
    everybody: IvMoments, groups: Mapping[str, IvMoments | NotComputable], *, alpha: float = 0.05
) -> tuple[str, float] | None:
    """The group whose first stage is shown to lie inside the band, and the error rate of that interval.

    Shown by two one-sided tests: the interval at level 1 - 2 alpha/K lies inside the band, for K groups that are tried,
    so that trying many doesn't make one pass by luck. The choice ignores the outcome.

    Args:
        everybody: moments of the whole comparison, whose first stage sets the band.
        groups: moments of each group that was known before the assignment.
        alpha: error rate of the two one-sided tests over all groups together.

    Returns:
        The largest of several; None without one.

    Source: Schuirmann 1987 for the two one-sided tests; van Kippersluis and Rietveld 2018.
    """
    check_alpha(alpha)
    band = ZERO_BAND * abs(everybody.first_stage)
    tried = {
        label: moments
        for label, moments in groups.items()
        if computable(moments) and min(moments.n_control, moments.n_variant) >= SMALLEST_GROUP and moments.v_r > 0
    }
    level = min(2 * alpha / max(len(tried), 1), 0.999)
    inside = {}
    for label, moments in tried.items():
        half = moments.critical_value(level) * sqrt(moments.v_d)
        if abs(moments.first_stage) + half < band:
            inside[label] = moments.n_control + moments.n_variant
    return (max(inside, key=lambda label: inside[label]), level) if inside else None


def zero_first_stage(
    group: IvMoments,
    others: IvMoments,
    *,
    label: str,
    take_up: TakeUp,
    band: float,
    nominal_alpha: float = 0.05,
    alpha: float = 0.05,
) -> ZeroFirstStage:
    """The direct effect shown by a group without first stage, and the set of effects after subtracting it.

    The set is {b : (ITT - g - b FS)^2 <= c^2 (V_R + V_g - 2 b C_RD + b^2 V_D)} with ITT, FS and their (co)variances of
    everybody else: the two parts share no units, so that their variances add up.

    Args:
        group: its moments.
        others: moments of all other units.
        label: name of the group.
        take_up: its first stage.
        band: half width of the band that its first stage lies in.
        nominal_alpha: level of a single test with the look's critical value.
        alpha: two-sided error rate over all looks; names the level.

    Source: van Kippersluis and Rietveld 2018. Assumes that being nudged by itself does the same to both.
    """
    check_alpha(nominal_alpha)
    error, critical = sqrt(group.v_r), group.critical_value(nominal_alpha)
    half = critical * error
    direct = Estimate(
        group.itt, error, group.itt - half, group.itt + half, group.tail(group.itt / error), 1 - alpha, "unpooled-z"
    )
    less = replace(others, itt=others.itt - group.itt, v_r=others.v_r + group.v_r)
    # With clusters the part with fewer degrees of freedom decides, to be conservative.
    widest = max(critical, others.critical_value(nominal_alpha))
    return ZeroFirstStage(
        group=label,
        units=group.n_control + group.n_variant,
        take_up=take_up,
        band=band,
        direct=direct,
        effect_set=anderson_rubin(less, q=widest**2, alpha=alpha),
    )


def _check_critical(critical: float) -> None:
    if not 0 < critical < float("inf"):
        raise ValueError(f"the critical value must be a positive number, not {critical}")
