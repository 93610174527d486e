"""Which nudge would part behaviours that the nudges so far can't tell apart, and the users that it takes.

Source: docs/methods/joint.md, "A nudge that parts two behaviours"; Sanderson, Windmeijer 2016.
"""

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
from scipy import stats

from stats.instrument.joint import (
    LEAST_F_WITH_AS_MANY,
    LEAST_F_WITH_MORE_NUDGES,
    JointMoments,
    conditional_f,
    effect_statistic,
    stack_nudges,
)
from stats.results import NotComputable, Reason, check_alpha, computable
from stats.summaries import Array

type Part = tuple[Array, Array]  # (ITT, FS_1 .. FS_K) of one nudge, and their covariance
MOST_USERS = 2**31 - 1
FIRST_USERS = 100
NOTHING = 1e-9  # the smallest noncentrality
CLOSE = 0.01  # users are given to one part in a hundred


def own_pattern(parts: Sequence[Part], behaviour: int, nudge: int) -> float:
    """How far a nudge's first stages leave the proportion of the other nudges, in standard errors.

    The other nudges' first stages of the behaviour are explained by those of the other behaviours; what is left of this
    nudge's, over its error and that of the coefficients.

    Args:
        parts: J nudges that share no user.
        behaviour: its place among the K behaviours.
        nudge: its place.
    """
    if len(parts) < 2:
        return 0.0
    stages = np.stack([effects[1:] for effects, _covariance in parts])
    errors = [covariance[1:, 1:] for _effects, covariance in parts]
    others = [place for place in range(stages.shape[1]) if place != behaviour]
    rest = [place for place in range(len(parts)) if place != nudge]
    weights = 1 / np.sqrt([errors[place][behaviour, behaviour] for place in rest])
    solved = np.linalg.pinv(stages[np.ix_(rest, others)] * weights[:, None]) * weights
    slopes = solved @ stages[rest, behaviour]
    contrast = np.zeros(stages.shape[1])
    contrast[behaviour], contrast[others] = 1, -slopes
    left = np.array([contrast @ errors[place] @ contrast for place in rest])
    spread = (solved * left) @ solved.T
    beside = stages[nudge, others]
    variance = float(contrast @ errors[nudge] @ contrast + beside @ spread @ beside)
    return abs(float(stages[nudge] @ contrast)) / sqrt(variance) if variance > 0 else 0.0


def users_to_part(
    parts: Sequence[Part], behaviour: int, first_stages: Array, per_user: Array, *, power: float = 0.8
) -> int | NotComputable:
    """Users of one more experiment with which a behaviour is told apart from the others.

    The conditional F is then large enough with this chance, with the nudges so far beside the new one. What chance
    alone leaves of the nudges so far, one per degree of freedom, is taken off.

    Args:
        parts: J nudges so far, which share no user.
        behaviour: its place among the K behaviours; J + 1 >= K.
        first_stages: K, of the new nudge.
        per_user: covariance of (ITT, FS_1 .. FS_K) of the new nudge, times its users.
        power: chance to be reached.

    Returns:
        Users, to one part in a hundred; ``NotComputable(NOT_TOLD_APART)`` where no number of them is enough.
    """

    def enough(users: float) -> bool:
        return _told_apart(_with_one_more(parts, behaviour, first_stages, per_user / users, 0.0), behaviour) >= power

    low, high = 0.0, float(FIRST_USERS)
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST_USERS:
            return NotComputable(Reason.NOT_TOLD_APART)
    while high - low > max(CLOSE * low, 1):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return ceil(high)


def chance_to_find(
    parts: Sequence[Part],
    behaviour: int,
    first_stages: Array,
    per_user: Array,
    *,
    users: int,
    effect: float,
    alpha: float = 0.05,
) -> float:
    """Chance that the behaviour is told apart and an effect of it found, with so many users of the new nudge.

    As a lab is sized: both statistics at the expected moments are noncentralities, and their chances are multiplied.
    The nudges so far count as they are: where they are small, no new nudge that moves another behaviour alone helps.

    Args:
        parts, behaviour, first_stages, per_user: as in ``users_to_part``.
        users: of the new nudge.
        effect: of the behaviour, in the outcome's unit per user who does it; the others' effects don't matter.
        alpha: error rate of the set.
    """
    check_alpha(alpha)
    moments = _with_one_more(parts, behaviour, first_stages, per_user / users, effect)
    freedom = len(moments.nudges) - len(moments.behaviours) + 1
    critical = float(stats.chi2.isf(alpha, freedom))
    found = float(stats.ncx2.sf(critical, freedom, max(effect_statistic(moments, behaviour), NOTHING)))
    return _told_apart(moments, behaviour) * found


def _with_one_more(
    parts: Sequence[Part], behaviour: int, first_stages: Array, covariance: Array, effect: float
) -> JointMoments:
    """All nudges' moments if the behaviour has this effect and nothing were left to chance."""
    stages = [*(effects[1:] for effects, _covariance in parts), first_stages]
    rows = [np.concatenate([[effect * row[behaviour]], row]) for row in stages]
    names = [str(place) for place in range(len(first_stages))]
    blocks = [*(block for _effects, block in parts), covariance]
    return stack_nudges([str(place) for place in range(len(rows))], names, rows, blocks)


def _told_apart(moments: JointMoments, behaviour: int) -> float:
    freedom = len(moments.nudges) - len(moments.behaviours) + 1
    strength = conditional_f(moments, behaviour)
    if not computable(strength):
        return 0.0
    least = LEAST_F_WITH_MORE_NUDGES if freedom > 1 else LEAST_F_WITH_AS_MANY
    return float(stats.ncx2.sf(least * freedom, freedom, max(freedom * strength - (freedom - 1), NOTHING)))
