"""Other behaviours that a nudge also moves: what they may explain of its effect, and what is left for the behaviour.

A nudge towards d that also moves o, which keeps users, has an effect through o that looks like d's. How large o's
effect may be, its *promise*, is registered before the start; the behaviour is called a cause only if the nudge's effect
is more than all of these together, at their worst, can explain.

Source: docs/methods/joint.md; Conley, Hansen, Rossi 2012 (union of sets).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product
from math import copysign, sqrt

import numpy as np

from stats.instrument.anderson_rubin import AndersonRubin, Shape, anderson_rubin
from stats.iv_moments import IvMoments
from stats.results import NotComputable, Reason, check_alpha, computable
from stats.summaries import Array

MOST_OTHERS = 12
# A list is looked through for trouble, not for findings: each behaviour has the whole error rate.
MOVED_ALPHA = 0.05
# Level of the interval that must lie inside the limits before a behaviour is called not moved.
NOT_MOVED_LEVEL = 0.90
# Of the behaviour's own first stage: a smaller one of another behaviour hardly matters.
HARDLY = 0.25


class Moved(StrEnum):
    """Whether the nudge moved another behaviour."""

    MOVED = "moved"
    NOT_MOVED = "not_moved"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, eq=False)
class OtherMoments:
    """What the nudge did to L other behaviours, beside the five moments of the outcome and the behaviour itself.

    Attributes:
        names: L names.
        first_stages: L differences in the share of users who do it, variant minus control (-1 to 1).
        covariance: of those, L x L.
        with_itt: L covariances with the effect on the outcome.
        with_first_stage: L covariances with the effect on the behaviour.
    """

    names: tuple[str, ...]
    first_stages: Array
    covariance: Array
    with_itt: Array
    with_first_stage: Array

    def __post_init__(self) -> None:
        size = len(self.names)
        if size > MOST_OTHERS:
            raise ValueError(f"at most {MOST_OTHERS} other behaviours, not {size}")
        shapes = (self.first_stages.shape, self.with_itt.shape, self.with_first_stage.shape, self.covariance.shape)
        if shapes != ((size,), (size,), (size,), (size, size)):
            raise ValueError("each other behaviour needs one first stage and its covariances")

    def take(self, places: Sequence[int]) -> "OtherMoments":
        """Some of them, by place."""
        at = list(places)
        return OtherMoments(
            tuple(self.names[place] for place in at),
            self.first_stages[at],
            self.covariance[np.ix_(at, at)],
            self.with_itt[at],
            self.with_first_stage[at],
        )


@dataclass(frozen=True)
class OtherBehaviour:
    """One other behaviour.

    Attributes:
        name: its name.
        take_up: effect of the nudge on the share of users who do it.
        low: lower end of its 95 % interval.
        high: upper end.
        p_value: of "not moved", two-sided; not computable where nobody's doing varies inside the arms.
        moved: whether it was moved.
        most: its effect at which the set of the behaviour would begin to hold 0, in the outcome's unit per user who
            does it: the answer holds unless it has a larger one. Not computable where no effect of it could do so, or
            where nothing is shown even without it.
    """

    name: str
    take_up: float
    low: float
    high: float
    p_value: float | NotComputable
    moved: Moved
    most: float | NotComputable


@dataclass(frozen=True)
class UnderOthers:
    """The behaviour's effect whatever the moved others do within their promises.

    Attributes:
        moved: names of the others that were moved and have a promise.
        excludes_zero: True where the nudge's effect is more than they can explain together.
        effect_set: union of the behaviour's sets over their promises.
    """

    moved: tuple[str, ...]
    excludes_zero: bool
    effect_set: AndersonRubin


def describe_others(
    moments: IvMoments, others: OtherMoments, promises: Sequence[tuple[float, float]], *, critical: float
) -> tuple[OtherBehaviour, ...]:
    """Whether each other behaviour was moved, and how large its effect had to be to take the answer back.

    Args:
        moments: of the comparison that decides.
        others: measured with the behaviour's own question.
        promises: for each, the smallest and largest effect it may have, in the outcome's unit; holds 0.
        critical: two-sided critical value of the test of the outcome at this look.
    """
    each = []
    for place, (name, box) in enumerate(zip(others.names, promises, strict=True)):
        take_up, variance = float(others.first_stages[place]), float(others.covariance[place, place])
        error = sqrt(max(variance, 0.0))
        reach = moments.critical_value(MOVED_ALPHA) * error
        p_value = moments.tail(take_up / error) if error > 0 else NotComputable(Reason.NO_VARIANCE)
        each.append(
            OtherBehaviour(
                name=name,
                take_up=take_up,
                low=take_up - reach,
                high=take_up + reach,
                p_value=p_value,
                moved=_moved(moments, take_up, error, p_value, max(abs(end) for end in box)),
                most=largest_harmless(moments, others, place, critical=critical),
            )
        )
    return tuple(each)


def _moved(moments: IvMoments, take_up: float, error: float, p_value: float | NotComputable, promise: float) -> Moved:
    # Without variance the difference is exact.
    if (p_value < MOVED_ALPHA) if computable(p_value) else take_up != 0:
        return Moved.MOVED
    limit = abs(moments.first_stage) * HARDLY
    if promise > 0:
        limit = max(limit, abs(moments.itt) / (2 * promise))
    reach = moments.critical_value(1 - NOT_MOVED_LEVEL) * error
    return Moved.NOT_MOVED if abs(take_up) + reach <= limit else Moved.CANNOT_TELL


def largest_harmless(moments: IvMoments, others: OtherMoments, place: int, *, critical: float) -> float | NotComputable:
    """The effect b of one other behaviour, alone, at which ITT - b FS_o stops to differ from 0.

    It is the end nearer to 0 of the set {b : (ITT - b FS_o)^2 <= c^2 Var}, the other behaviour's own Anderson-Rubin
    set: each b inside it explains the nudge's effect.

    Returns:
        b with its sign; ``NotComputable(NUDGE_NOT_PROVED)`` where 0 itself is inside, ``NotComputable(NO_TAKE_UP)``
        where no b is.
    """
    own = IvMoments(
        moments.itt,
        float(others.first_stages[place]),
        moments.v_r,
        float(others.covariance[place, place]),
        float(others.with_itt[place]),
        moments.n_control,
        moments.n_variant,
        moments.degrees_of_freedom,
    )
    explaining = anderson_rubin(own, q=critical**2)
    if explaining.contains(0.0):
        return NotComputable(Reason.NUDGE_NOT_PROVED)
    ends = [end for end in (explaining.low, explaining.high) if end is not None]
    return min(ends, key=abs) if ends else NotComputable(Reason.NO_TAKE_UP)


def under_others(
    moments: IvMoments,
    others: OtherMoments,
    promises: Sequence[tuple[float, float]],
    *,
    critical: float,
    alpha: float = 0.05,
) -> UnderOthers:
    """The behaviour's effect after what the moved others may explain, at its worst over their promises.

    The nudge's effect less the others' is tested at every corner of the box of promises. That is enough: where it
    exceeds c standard errors at all corners it does so inside, since the excess (linear, less c times a norm) is
    concave.

    Args:
        moments: of the comparison that decides.
        others: those that count: moved, and no consequence of the behaviour.
        promises: for each, the smallest and largest effect it may have; each must hold 0.
        critical: as for ``describe_others``.
        alpha: two-sided error rate that this value stands for; names the level.
    """
    check_alpha(alpha)
    if any(not low <= 0 <= high for low, high in promises):
        raise ValueError("each promise must hold 0")
    corners = [_less(moments, others, np.array(corner)) for corner in product(*promises)]
    sign = copysign(1.0, moments.itt)
    excludes = all(sign * left.itt > critical * sqrt(left.v_r) for left in corners)
    sets = [anderson_rubin(left, q=critical**2, alpha=alpha) for left in corners]
    if not all(each.shape is Shape.INTERVAL for each in sets):
        return UnderOthers(others.names, excludes, AndersonRubin(Shape.LINE, None, None, 1 - alpha))
    ends = [end for each in sets for end in (each.low, each.high) if end is not None]
    return UnderOthers(others.names, excludes, AndersonRubin(Shape.INTERVAL, min(ends), max(ends), 1 - alpha))


def _less(moments: IvMoments, others: OtherMoments, effects: Array) -> IvMoments:
    """Moments less what the others explain with these effects; their first stages' errors are in its variance."""
    return replace(
        moments,
        itt=moments.itt - float(effects @ others.first_stages),
        v_r=max(moments.v_r - 2 * float(effects @ others.with_itt) + float(effects @ others.covariance @ effects), 0.0),
        c_rd=moments.c_rd - float(effects @ others.with_first_stage),
    )
