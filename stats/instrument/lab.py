"""A lab: several nudges drawn in one sample of users. Its moments, and the users that it needs.

Each user has a set of nudges, drawn anew for each user; the effect of one nudge is that of being in its half of the
sample whatever the other nudges are. Source: docs/methods/joint.md, "The lab"; Box, Hunter, Hunter 2005 (factorial
designs); Blackwell, Pashley 2023 (one instrument a treatment).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import ceil

import numpy as np
from scipy import stats

from stats.instrument.joint import (
    LEAST_F_WITH_AS_MANY,
    LEAST_F_WITH_MORE_NUDGES,
    JointMoments,
    conditional_f,
    effect_statistic,
)
from stats.results import NotComputable, Reason, check_alpha, computable
from stats.summaries import Array

MOST_NUDGES = 8
# Fewer users on one side of a nudge cost more than they spare.
LEAST_SHARE, LARGEST_SHARE = 0.2, 0.8
MOST_USERS = 2**31 - 1
DRAWS, SEED = 2**13, 20_261_202  # of what chance adds to a lab that is sized


@dataclass(frozen=True, eq=False)
class Sets:
    """The sets of nudges that a user may draw.

    Attributes:
        on: C x J, True where the set has the nudge.
        chances: of the C sets, adding up to 1.
    """

    on: Array
    chances: Array

    @property
    def shares(self) -> Array:
        """Share of users with each of the J nudges."""
        return np.asarray(self.chances @ self.on)

    @property
    def spread(self) -> Array:
        """Covariance of having nudges, J x J; outside of the diagonal 0 where each is drawn by itself."""
        shares = self.shares
        return np.asarray((self.on * self.chances[:, None]).T @ self.on - np.outer(shares, shares))


def sets_of(shares: Sequence[float], most: int | None = None) -> Sets:
    """All sets of nudges with their chances.

    Args:
        shares: share of users with each of 2 to ``MOST_NUDGES`` nudges, each drawn by itself.
        most: at most so many nudges for one user. Each set that is small enough then has the same chance, since a draw
            of its own for each nudge, thrown away where too many come up, would leave uneven shares.

    Raises:
        ValueError: for shares outside of ``LEAST_SHARE`` to ``LARGEST_SHARE``, as drawn or as what `most` leaves.
    """
    j = len(shares)
    if not 2 <= j <= MOST_NUDGES or (most is not None and not 1 <= most <= j):
        raise ValueError(f"2 to {MOST_NUDGES} nudges, and 1 to all of them at once")
    on = np.array(list(product((False, True), repeat=j)))
    if most is None or most == j:
        chances = np.where(on, shares, 1 - np.asarray(shares)).prod(axis=1)
    else:
        on = on[on.sum(axis=1) <= most]
        chances = np.full(len(on), 1 / len(on))
    sets = Sets(on.astype(float), chances)
    if not ((sets.shares > LEAST_SHARE - 1e-9) & (sets.shares < LARGEST_SHARE + 1e-9)).all():
        raise ValueError(f"each nudge needs {LEAST_SHARE:.0%} to {LARGEST_SHARE:.0%} of the users")
    return sets


def moments_of_sets(
    nudges: Sequence[str], behaviours: Sequence[str], on: Array, n: Array, means: Array, covariance: Array
) -> JointMoments | NotComputable:
    """Effects of all nudges on the outcome and on each behaviour, from summaries of the users of each set.

    Least squares on the J nudges at once, so that the draws of the others disturb none, whether each was drawn by
    itself or at most so many at once; errors are robust, as spreads differ between sets.

    Args:
        nudges: J names.
        behaviours: K names.
        on: C x J, which nudges the users of each summary had.
        n: C numbers of users; sets without users may be among them.
        means: C x (1 + K) means of the outcome, then of each behaviour (0 to 1).
        covariance: C x (1 + K) x (1 + K) covariances with n - 1.

    Returns:
        The moments; ``NotComputable(TOO_FEW_UNITS)`` where the sets that have users can't part the nudges.

    Source: White 1980; Eicker 1967, with n/(n - J - 1).
    """
    some = n > 0
    n, means, covariance = n[some], means[some], covariance[some]
    design = np.column_stack([np.ones(len(n)), on[some]])
    total, columns = float(n.sum()), design.shape[1]
    normal = (design * n[:, None]).T @ design
    if np.linalg.matrix_rank(design) < columns or total <= columns:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": int(total), "needed": columns + 1})
    solved = np.linalg.solve(normal, (design * n[:, None]).T)
    left = means - design @ (solved @ means)
    # What each set's users add to the squares of influences: their spread around their mean, and its distance.
    squares = (n - 1)[:, None, None] * covariance + n[:, None, None] * left[:, :, None] * left[:, None, :]
    per_user = solved / n
    each: Array = np.einsum("ac,bc,cij->aibj", per_user, per_user, squares) * total / (total - columns)
    effects = (solved @ means)[1:]
    size = len(nudges) * means.shape[1]
    errors: Array = each[1:, :, 1:].reshape(size, size)
    return JointMoments(tuple(nudges), tuple(behaviours), effects[:, 0], effects[:, 1:], errors)


@dataclass(frozen=True, eq=False)
class Chance:
    """What chance adds in each of `DRAWS` labs; the same in all sizes of a lab, so that more users never decide less.

    Attributes:
        normal: DRAWS x K, errors of the behaviours' effects over their standard errors.
        rest: DRAWS x K, what more nudges than behaviours add to a statistic.
        even: DRAWS x K, even between 0 and 1.
    """

    normal: Array
    rest: Array
    even: Array


@dataclass(frozen=True, eq=False)
class Expected:
    """What a lab is sized for.

    Attributes:
        sets: that users draw.
        behaviours: K names.
        first_stages: J x K, expected effect of each nudge on the share of users who do each behaviour.
        effects: K, effect of each behaviour to be found, in the outcome's unit per user who does it.
        spread: (1 + K) square, covariance of outcome and behaviours between users of one set.
    """

    sets: Sets
    behaviours: tuple[str, ...]
    first_stages: Array
    effects: Array
    spread: Array

    @cached_property
    def statistics(self) -> Array:
        """K, each behaviour's statistic for "no effect" in one user; it grows with the users."""
        moments = self.moments(1.0)
        return np.array([effect_statistic(moments, place) for place in range(len(self.behaviours))])

    @cached_property
    def strengths(self) -> Array:
        """K, each behaviour's conditional F of one user, likewise; 0 where no nudge parts it from the others."""
        moments = self.moments(1.0)
        found = [conditional_f(moments, place) for place in range(len(self.behaviours))]
        return np.array([strength if computable(strength) else 0.0 for strength in found])

    @cached_property
    def chance(self) -> "Chance":
        """What is left to chance, the same for any number of users."""
        return _chance(self)

    def moments(self, users: float) -> JointMoments:
        """What so many users would show if nothing were left to chance."""
        nudges = tuple(str(place) for place in range(len(self.first_stages)))
        covariance = np.asarray(np.kron(np.linalg.inv(self.sets.spread), self.spread) / users, np.float64)
        return JointMoments(nudges, self.behaviours, self.first_stages @ self.effects, self.first_stages, covariance)


def lab_power(expected: Expected, users: float, alpha: float = 0.05) -> tuple[float, ...]:
    """Chance that each behaviour gets a number and is decided, where all behaviours share one error rate.

    The statistics of the analysis at the expected moments grow with the users; around them they vary together, as the
    errors of the behaviours' effects do. Whether a behaviour is told apart at all counts as independent of the rest:
    where nudges are strong it is certain. Behaviours are decided by Holm, one that isn't told apart with p = 1.

    Args:
        expected: what is to be found.
        users: of the whole lab.
        alpha: chance of any false alarm, two-sided.

    Returns:
        K chances, 0 to 1, each within 0.002 of what endless labs would give; of a behaviour without effect the chance
        of a false alarm.

    Source: docs/methods/joint.md, "The lab"; Holm 1979.
    """
    check_alpha(alpha)
    chance, freedom = expected.chance, _freedom(expected)
    found = (chance.normal + np.sign(expected.effects) * np.sqrt(users * expected.statistics)) ** 2 + chance.rest
    steps = alpha / np.arange(len(expected.behaviours), 0, -1)
    return _decided(np.where(_told_apart(expected, users), found, -np.inf), stats.chi2.isf(steps, freedom))


def lab_immaterial(expected: Expected, margin: float, users: float, alpha: float = 0.05) -> tuple[float, ...]:
    """Chance that each behaviour is said to have no effect as large as the margin, if none has any at all.

    Args:
        expected: what the nudges move; its effects are unused.
        margin: above 0, in the unit of the effects.
        users: of the whole lab.
        alpha: chance that anything is said wrongly, one-sided.

    Returns:
        K chances, 0 to 1, as `lab_power`; all 0 where no nudge parts two behaviours.

    Raises:
        ValueError: a margin that isn't above 0.
    """
    check_alpha(alpha)
    if margin <= 0:
        raise ValueError("a margin is above 0")
    covariance = _errors(expected, np.zeros(len(expected.behaviours)))
    if covariance is None:
        return (0.0,) * len(expected.behaviours)
    distances = margin / np.sqrt(np.diag(covariance) / users) - np.abs(expected.chance.normal)
    steps = alpha / np.arange(len(expected.behaviours), 0, -1)
    return _decided(np.where(_told_apart(expected, users), distances, -np.inf), stats.norm.isf(steps))


def _freedom(expected: Expected) -> int:
    return len(expected.first_stages) - len(expected.behaviours) + 1


def _told_apart(expected: Expected, users: float) -> Array:
    """DRAWS x K, whether a behaviour gets a number."""
    freedom = _freedom(expected)
    least = LEAST_F_WITH_MORE_NUDGES if freedom > 1 else LEAST_F_WITH_AS_MANY
    chances = stats.ncx2.sf(least * freedom, freedom, users * freedom * expected.strengths)
    return np.asarray(expected.chance.even < np.where(expected.strengths > 0, chances, 0.0))


def _chance(expected: Expected) -> Chance:
    j, k = expected.first_stages.shape
    covariance = _errors(expected, expected.effects)
    errors = np.ones(k) if covariance is None else np.sqrt(np.diag(covariance))
    correlation = np.eye(k) if covariance is None else covariance / np.outer(errors, errors)
    points = stats.qmc.Sobol(2 * k, rng=SEED).random(DRAWS)
    normal = stats.norm.ppf(points[:, :k]) @ np.linalg.cholesky(correlation).T
    more = j - k
    rest = np.random.default_rng(SEED).chisquare(more, (DRAWS, k)) if more else np.zeros((DRAWS, k))
    return Chance(normal, rest, points[:, k:])


def _errors(expected: Expected, effects: Array) -> Array | None:
    """Covariance of the behaviours' effects of one user, where these are true; none where no nudge parts two."""
    outcome = np.array([1.0, *-effects])
    spread = float(outcome @ expected.spread @ outcome)
    information = expected.first_stages.T @ expected.sets.spread @ expected.first_stages / spread
    if np.linalg.matrix_rank(information) < len(information):
        return None
    return np.asarray(np.linalg.inv(information))


def _decided(statistics: Array, critical: Array) -> tuple[float, ...]:
    """Share of the rows in which Holm decides each column; the critical values are those of its K steps."""
    order = np.argsort(-statistics, axis=1)
    passed = np.logical_and.accumulate(np.take_along_axis(statistics, order, 1) > critical, axis=1)
    decided = np.empty_like(passed)
    np.put_along_axis(decided, order, passed, 1)
    return tuple(float(share) for share in decided.mean(axis=0))


def lab_size(expected: Expected, power: float = 0.8, alpha: float = 0.05) -> int | NotComputable:
    """The smallest number of users of the whole lab with which each behaviour that has an effect is decided.

    Returns:
        Users; ``NotComputable(NOT_TOLD_APART)`` where no number of them is enough, since no nudge parts two behaviours.
    """
    wanted = [place for place, effect in enumerate(expected.effects) if effect != 0]
    if not wanted:
        raise ValueError("a lab needs an effect to be sized for")

    def enough(users: float) -> bool:
        chances = lab_power(expected, users, alpha)
        return all(chances[place] >= power for place in wanted)

    if not enough(MOST_USERS):
        return NotComputable(Reason.NOT_TOLD_APART)
    low, high = 1.0, float(MOST_USERS)
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return ceil(high)
