"""Several nudges and several behaviours read together: each behaviour's effect that doesn't go through the others.

``J`` nudges, ``K`` behaviours, one outcome. Each nudge has an effect on the outcome (ITT) and one on each behaviour
(first stages). What nudges leave of the outcome after the behaviours, h(b) = ITT - FS b, has mean 0 at the true
effects b if nudges work through these behaviours alone. Q(b) = h' V(b)^-1 h, with V(b) the variance of h at b, is the
only statistic here: its minimum estimates, the b that it doesn't reject are the sets, however weak the nudges.

Effects are searched for in directions instead of points: w = (1, -b), and Q depends on w's direction only, so that a
set without end is a direction like any other.

Source: docs/methods/joint.md; Anderson, Rubin 1949; Guggenberger, Kleibergen, Mavroeidis, Chen 2012; Guggenberger,
Kleibergen, Mavroeidis 2019; Patel, Lane, Burgess 2024 (summary data); Sanderson, Windmeijer 2016.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import atan, pi, tan

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
from scipy import linalg, stats

from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.results import NotComputable, Reason, check_alpha
from stats.summaries import Array

MOST_BEHAVIOURS = 12
# Below these conditional Fs a behaviour gets no number: docs/methods/joint.md, "Conditional F".
LEAST_F_WITH_MORE_NUDGES, LEAST_F_WITH_AS_MANY = 4.0, 7.0
# From this conditional F of every behaviour on, the shorter set may be shown beside the valid one.
STRONG_F = 10.0
# Angles at which a profile is computed before its roots are refined.
GRID = 64
# An edge of a set is looked for at this many angles between two, this many times, and then on the line between them.
ZOOM, ZOOMS = 17, 3
# A direction whose first part is smaller has effects without end; the search begins far out instead.
NEARLY_NONE = 1e-9
# Fewer clusters don't determine the covariance of many moments, whose law is taken to be normal: our choice.
FEWEST_CLUSTERS = 40
# Gauss-Newton ends after this many steps, or where Q falls by less than this share.
STEPS, TOLERANCE = 40, 1e-10
# Share of alpha: a nudge that acts by itself isn't always the one without which all others agree.
SUSPECT = 0.1
# A behaviour that no nudge but suspects moves by more errors than these is left out with them.
MOVED_ERRORS = 2.0
# An average direct effect of the nudges is estimated where there are this many nudges more than behaviours.
INTERCEPT_FROM = 4


@dataclass(frozen=True, eq=False)
class JointMoments:
    """What each nudge moved, with the covariance of all of it.

    Attributes:
        nudges: names of the J nudges.
        behaviours: names of the K behaviours, K <= J.
        itt: J effects on the outcome, variant minus control, in the outcome's unit.
        first_stages: J x K effects on the behaviours (shares, -1 to 1).
        covariance: of (ITT_1, FS_11 .. FS_1K, ITT_2, ...), J(K+1) square; 0 between nudges that share no user.
    """

    nudges: tuple[str, ...]
    behaviours: tuple[str, ...]
    itt: Array
    first_stages: Array
    covariance: Array

    def __post_init__(self) -> None:
        j, k = len(self.nudges), len(self.behaviours)
        if not 1 <= k <= min(j, MOST_BEHAVIOURS):
            raise ValueError(f"{k} behaviours need 1 to {MOST_BEHAVIOURS} and at least as many nudges, not {j}")
        size = j * (k + 1)
        if self.itt.shape != (j,) or self.first_stages.shape != (j, k) or self.covariance.shape != (size, size):
            raise ValueError("one outcome effect and one first stage a nudge and behaviour, and their covariance")
        if not all(np.isfinite(part).all() for part in (self.itt, self.first_stages, self.covariance)):
            raise ValueError("moments must be finite")

    def without(self, nudge: int) -> "JointMoments":
        """The same without one nudge, by its place."""
        rest = [place for place in range(len(self.nudges)) if place != nudge]
        return self.of(rest, range(len(self.behaviours)))

    def of(self, nudges: Iterable[int], behaviours: Iterable[int]) -> "JointMoments":
        """Those of some nudges and behaviours, by their places."""
        some, columns, p = list(nudges), list(behaviours), len(self.behaviours) + 1
        rows = [place * p + column for place in some for column in (0, *(at + 1 for at in columns))]
        return JointMoments(
            tuple(self.nudges[place] for place in some),
            tuple(self.behaviours[at] for at in columns),
            self.itt[some],
            self.first_stages[np.ix_(some, columns)],
            self.covariance[np.ix_(rows, rows)],
        )


def stack_nudges(
    nudges: Sequence[str], behaviours: Sequence[str], moments: Sequence[Array], covariances: Sequence[Array]
) -> JointMoments:
    """Moments of nudges that share no user.

    Args:
        nudges: J names.
        behaviours: K names.
        moments: for each nudge (ITT, FS_1 .. FS_K).
        covariances: for each nudge their (K+1) x (K+1) covariance matrix.
    """
    together = np.stack([np.asarray(row, float) for row in moments])
    covariance = linalg.block_diag(*[np.asarray(block, float) for block in covariances])
    return JointMoments(tuple(nudges), tuple(behaviours), together[:, 0], together[:, 1:], covariance)


def moments_of_units(
    nudges: Sequence[str],
    behaviours: Sequence[str],
    outcome: Array,
    acts: Array,
    arms: Array,
    clusters: npt.ArrayLike | None = None,
) -> JointMoments | NotComputable:
    """Moments of nudges that may share users, from their users' rows.

    Each moment is the difference of two means, so its error is the mean of its users' influences; a user in several
    experiments adds to each, and the products of its influences are the covariances between nudges.

    Args:
        nudges: J names.
        behaviours: K names.
        outcome: n values.
        acts: n x K, 1 where the user did it.
        arms: n x J, 1 nudged, 0 in control, NaN where the user took no part in that experiment.
        clusters: n numbers of the groups whose users aren't independent of each other, 0 to G - 1: their users'
            influences are added up first. None: every user counts alone.
    """
    values = np.column_stack([outcome, acts]).astype(float)
    effects: list[Array] = []
    influences: list[Array] = []
    for arm in arms.T:
        contrast = contrast_of_units(values, arm)
        if isinstance(contrast, NotComputable):
            return contrast
        effects.append(contrast[0])
        influences.append(contrast[1])
    each = np.concatenate(influences, axis=1)
    if clusters is not None:
        each = sums_by_cluster(each, clusters)
        if len(each) < FEWEST_CLUSTERS:
            return NotComputable(Reason.TOO_FEW_CLUSTERS, {"n": len(each), "needed": FEWEST_CLUSTERS})
    together = np.stack(effects)
    return JointMoments(tuple(nudges), tuple(behaviours), together[:, 0], together[:, 1:], each.T @ each)


def contrast_of_units(values: Array, arm: Array) -> tuple[Array, Array] | NotComputable:
    """The differences of means of one nudge, variant minus control, and each user's influence on them.

    Args:
        values: n x p.
        arm: n, as a column of ``arms`` of ``moments_of_units``.

    Returns:
        p differences, and n x p influences, whose products add up to the differences' covariance.
    """
    effect, influence = np.zeros(values.shape[1]), np.zeros_like(values)
    for sign, side in ((1.0, arm == 1), (-1.0, arm == 0)):
        n = int(side.sum())
        if n < 2:
            return NotComputable(Reason.TOO_FEW_UNITS, {"n": n, "needed": 2})
        mean = values[side].mean(axis=0)
        effect += sign * mean
        # The factor makes the sum of squares the n - 1 variance of each mean.
        influence[side] += sign * (values[side] - mean) / n * (n / (n - 1)) ** 0.5
    return effect, influence


def sums_by_cluster(influences: Array, clusters: npt.ArrayLike) -> Array:
    """Influences added up within clusters, G rows, with the small-sample factor G/(G - 1) of their squares."""
    places = np.asarray(clusters, np.int64)
    groups = int(places.max()) + 1
    sums = np.zeros((groups, influences.shape[1]))
    np.add.at(sums, places, influences)
    return np.asarray(sums * (groups / max(groups - 1, 1)) ** 0.5)


@dataclass(frozen=True, eq=False)
class _Quadratic:
    """Q over the directions w = (1, -b), of the moments J x p with their covariance J x p x J x p."""

    moments: Array
    covariance: Array

    def sizes(self) -> Array:
        """Root mean variance of each column; of a column without error, the largest of the others."""
        sizes = np.sqrt(np.einsum("aiai->i", self.covariance) / len(self.moments))
        return np.asarray(np.where(sizes > 0, sizes, sizes.max()))

    def lowest(self) -> tuple[float, Array]:
        """The smallest Q over all effects, and the direction (1, -b) of them."""
        p = self.moments.shape[1]
        values, others = self.lowest_from(np.eye(p)[:1], np.eye(p)[1:])
        return float(values[0]), np.concatenate([[1.0], -others[0]])

    def lowest_from(self, first: Array, rest: Array) -> tuple[Array, Array]:
        """The smallest Q of first - rest' o over all o, for T directions at once.

        Continuous updating by Gauss-Newton: at the minimum D' V^-1 h = 0, where D is the derivative of h less its
        part that the errors of h explain (Kleibergen 2005, formula 3). Two starts, as Q may have several minima: o of
        least squares, and of the eigenvector that would be the answer if all nudges' errors had one pattern.

        Args:
            first: T x p.
            rest: q x p.

        Returns:
            T values, and T x q effects o. Where no finite o is best the value is the limit's.
        """
        if not len(rest):
            return self._values(first), np.zeros((len(first), 0))
        # Both starts at once: what takes time is the number of steps, not how many directions take them together.
        starts = np.concatenate([self._least_squares(first, rest), self._eigenvectors(first, rest)])
        values, others = self._descend(np.concatenate([first, first]), rest, starts)
        left, right = np.arange(len(first)), np.arange(len(first)) + len(first)
        best = np.where(values[right] < values[left], right, left)
        return values[best], others[best]

    def _variance(self, left: Array, right: Array) -> Array:
        """Covariance of h in T pairs of directions, T x J x J."""
        j, p = self.moments.shape
        products = (left[:, :, None] * right[:, None, :]).reshape(len(left), p * p)
        return (products @ self.covariance.transpose(1, 3, 0, 2).reshape(p * p, j * j)).reshape(-1, j, j)

    def _values(self, w: Array) -> Array:
        """Q in T directions."""
        h = w @ self.moments.T
        return np.asarray(np.einsum("ta,ta->t", h, _solve(self._variance(w, w), h)))

    def _descend(self, first: Array, rest: Array, others: Array) -> tuple[Array, Array]:
        """Gauss-Newton from T starts, each until it falls no more."""
        values, others = self._values(first - others @ rest), others.copy()
        falling = np.arange(len(first))
        for _ in range(STEPS):
            at, before = first[falling], values[falling]
            step = self._step(at, rest, others[falling])
            waiting = np.ones(len(falling), bool)
            for share in (1.0, 0.4, 0.1, 0.01):
                tried = others[falling] + share * step
                now = self._values(at - tried @ rest)
                lower = waiting & (now < before)
                values[falling[lower]], others[falling[lower]] = now[lower], tried[lower]
                waiting &= ~lower
                if not waiting.any():
                    break
            falling = falling[before - values[falling] > TOLERANCE * (1 + before)]
            if not len(falling):
                break
        return values, others

    def _step(self, first: Array, rest: Array, others: Array) -> Array:
        """Gauss-Newton's step of the effects."""
        w = first - others @ rest
        h = w @ self.moments.T
        inverse = np.linalg.inv(_ridged(self._variance(w, w)))
        solved = (inverse @ h[..., None])[..., 0]
        shared = [(self._variance(np.broadcast_to(row, w.shape), w) @ solved[..., None])[..., 0] for row in rest]
        slope = (self.moments @ rest.T).T[None] - np.stack(shared, axis=1)
        weighted = slope @ inverse
        return _solve(weighted @ slope.transpose(0, 2, 1), (weighted @ h[..., None])[..., 0])

    def _least_squares(self, first: Array, rest: Array) -> Array:
        weights = 1 / np.sqrt(np.maximum(np.einsum("aiai->a", self.covariance), 1e-300))
        explaining = (self.moments @ rest.T) * weights[:, None]
        return np.asarray((np.linalg.pinv(explaining) @ ((first @ self.moments.T) * weights).T).T)

    def _eigenvectors(self, first: Array, rest: Array) -> Array:
        pattern = np.einsum("aiaj->ij", self.covariance) / len(self.moments)
        weights = 1 / np.maximum(np.einsum("aiai->a", self.covariance), 1e-300)
        weighted = self.moments.T @ (self.moments * (weights / weights.mean())[:, None])
        basis = np.concatenate([first[:, None], np.broadcast_to(rest, (len(first), *rest.shape))], axis=1)
        root = np.linalg.inv(np.linalg.cholesky(_ridged(basis @ pattern @ basis.transpose(0, 2, 1), 1e-12)))
        standard = root @ basis @ weighted @ basis.transpose(0, 2, 1) @ root.transpose(0, 2, 1)
        vectors = (root.transpose(0, 2, 1) @ np.linalg.eigh(standard)[1][:, :, :1])[..., 0]
        leading = np.where(np.abs(vectors[:, :1]) > NEARLY_NONE, vectors[:, :1], NEARLY_NONE)
        return -vectors[:, 1:] / leading


def _ridged(matrices: Array, share: float = 1e-13) -> Array:
    """T matrices that stay invertible where an error, or all of it, is 0."""
    size = matrices.shape[-1]
    mean = np.trace(matrices, axis1=1, axis2=2)[:, None, None] / size
    return np.asarray(matrices + (share * mean + np.finfo(float).tiny) * np.eye(size))


def _solve(matrices: Array, right: Array) -> Array:
    return np.linalg.solve(_ridged(matrices), right[..., None])[..., 0]


def _whole(moments: JointMoments) -> _Quadratic:
    j, p = len(moments.nudges), len(moments.behaviours) + 1
    together = np.column_stack([moments.itt, moments.first_stages])
    return _Quadratic(together, moments.covariance.reshape(j, p, j, p))


@dataclass(frozen=True)
class BehaviourReading:
    """What all nudges together say of one behaviour.

    Attributes:
        behaviour: its name.
        effect: of the behaviour, not through the others of the list, in the outcome's unit per user who does it; not
            computable where ``told_apart`` is False or the nudges contradict each other about it.
        effect_set: effects that the data don't reject, whatever the other behaviours do and however weakly they are
            moved; not computable where ``effect`` isn't.
        p_zero: p-value of "no effect", from the same statistic.
        strong_set: the shorter set, only where every behaviour's conditional F is at least ``STRONG_F``; else None, as
            with as many nudges as behaviours, where it is the same set.
        conditional_f: how well the nudges tell it from the others; not computable without variance.
        told_apart: False where its set has no end or the conditional F is too low.
        confused_with: the behaviour that moves most alike; "" without others.
    """

    behaviour: str
    effect: float | NotComputable
    effect_set: AndersonRubin | NotComputable
    p_zero: float | NotComputable
    strong_set: AndersonRubin | None
    conditional_f: float | NotComputable
    told_apart: bool
    confused_with: str


@dataclass(frozen=True)
class Agreement:
    """Whether the nudges tell one story.

    Attributes:
        statistic: the smallest Q.
        degrees_of_freedom: J - K.
        p_value: of "every nudge works through these behaviours alone".
        influential: nudges without any one of which the others agree; empty if all agree or no single one explains it.
        suspects: these, and those without any one of which the others hardly disagree (p at least `SUSPECT` of alpha):
            what one of them moves has no number.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float
    influential: tuple[str, ...]
    suspects: tuple[str, ...] = ()


@dataclass(frozen=True)
class JointReading:
    """All behaviours' effects from all nudges together.

    Attributes:
        behaviours: one row a behaviour, in the order of the moments.
        agreement: not computable where there are as many nudges as behaviours: any data agree then.
        direct_effect: average direct effect of being nudged, as a set in the outcome's unit; not computable with fewer
            than ``INTERCEPT_FROM`` nudges more than behaviours.
        level: confidence level of the sets.
        moments: those that the rows rest on: where nudges disagree, without the suspects and without what only these
            moved.
    """

    behaviours: tuple[BehaviourReading, ...]
    agreement: Agreement | NotComputable
    direct_effect: AndersonRubin | NotComputable
    level: float
    moments: JointMoments


def read_jointly(moments: JointMoments, alpha: float = 0.05) -> JointReading:
    """Each behaviour's effect beside the others, and whether the nudges agree.

    Args:
        moments: one definition of outcome, behaviours, window and threshold for all nudges.
        alpha: two-sided error rate of each set.

    Source: docs/methods/joint.md.
    """
    check_alpha(alpha)
    agreement = _agreement(moments, _whole(moments).lowest()[0], alpha)
    direct_effect = _direct_effect(moments, alpha)
    trusted, contradicted = _trusted(moments, agreement, alpha)
    whole = _whole(trusted)
    best, direction = whole.lowest()
    strengths = [conditional_f(trusted, k) for k in range(len(trusted.behaviours))]
    rest = len(trusted.nudges) - len(trusted.behaviours) + 1
    strong = rest > 1 and all(not isinstance(f, NotComputable) and f >= STRONG_F for f in strengths)
    rows = []
    for name in moments.behaviours:
        if name not in trusted.behaviours:
            rows.append(_unread(moments, name))
            continue
        k = trusted.behaviours.index(name)
        profile = _Profile.of(whole, k + 1, direction)
        whole_set = profile.effects_below(float(stats.chi2.isf(alpha, rest)), 1 - alpha)
        told_apart = whole_set.shape is Shape.INTERVAL and tells_apart(trusted, strengths[k])
        missing = _missing(told_apart=told_apart or whole_set.shape is Shape.EMPTY, contradicted=name in contradicted)
        short = profile.effects_below(best + float(stats.chi2.isf(alpha, 1)), 1 - alpha) if strong else None
        rows.append(
            BehaviourReading(
                behaviour=name,
                effect=missing or -float(direction[k + 1]),
                effect_set=missing or whole_set,
                p_zero=missing or float(stats.chi2.sf(profile.at(np.zeros(1))[0], rest)),
                strong_set=None if missing else short,
                conditional_f=strengths[k],
                told_apart=told_apart,
                confused_with=confused_with(trusted, k),
            )
        )
    return JointReading(tuple(rows), agreement, direct_effect, 1 - alpha, trusted)


def effect_statistic(moments: JointMoments, behaviour: int, effect: float = 0.0) -> float:
    """The smallest Q over the other behaviours' effects where this behaviour, by its place, has this effect.

    It rejects the effect above the quantile of chi-square(J - K + 1), and grows with the users.
    """
    p = len(moments.behaviours) + 1
    direction = np.zeros((1, p))
    direction[0, 0], direction[0, behaviour + 1] = 1, -effect
    rest = [place for place in range(1, p) if place != behaviour + 1]
    return float(_whole(moments).lowest_from(direction, np.eye(p)[rest])[0][0])


def p_value_of(moments: JointMoments, behaviour: int, effect: float) -> float:
    """The p-value of one effect of a behaviour, by its place, whatever the other behaviours do.

    It is at least alpha just where the behaviour's set of level 1 - alpha holds the effect.
    """
    freedom = len(moments.nudges) - len(moments.behaviours) + 1
    return float(stats.chi2.sf(effect_statistic(moments, behaviour, effect), freedom))


def _missing(*, told_apart: bool, contradicted: bool) -> NotComputable | None:
    if contradicted:
        return NotComputable(Reason.NUDGES_DISAGREE)
    return None if told_apart else NotComputable(Reason.NOT_TOLD_APART)


def tells_apart(moments: JointMoments, strength: float | NotComputable) -> bool:
    """Whether a conditional F is large enough for these numbers of nudges and behaviours."""
    if isinstance(strength, NotComputable):
        return False
    more = len(moments.nudges) > len(moments.behaviours)
    return strength >= (LEAST_F_WITH_MORE_NUDGES if more else LEAST_F_WITH_AS_MANY)


def conditional_f(moments: JointMoments, behaviour: int) -> float | NotComputable:
    """How strongly the nudges move one behaviour beyond what goes with the others, as an F.

    The first stages of the behaviour on those of the others, without constant, weighted by its errors; what is left of
    them, squared over its variance, per degree of freedom J - K + 1. Alone it is the mean F of the first stages.

    Source: Sanderson, Windmeijer 2016; Sanderson, Spiller, Bowden 2021 (summary data; package MVMR, which weighs all
    nudges alike).
    """
    j, p = len(moments.nudges), len(moments.behaviours) + 1
    covariance = moments.covariance.reshape(j, p, j, p)[:, 1:, :, 1:]
    errors = np.einsum("akak->ak", covariance)
    if not (errors[:, behaviour] > 0).all():
        return NotComputable(Reason.NO_VARIANCE)
    others = [place for place in range(p - 1) if place != behaviour]
    contrast = np.zeros(p - 1)
    contrast[behaviour] = 1
    if others:
        contrast[others] = -_slopes(moments, behaviour, others, errors)
    left = moments.first_stages @ contrast
    variance = np.einsum("k,akbl,l->ab", contrast, covariance, contrast)
    return float(left @ _solve(variance[None], left[None])[0]) / (j - p + 2)


def _slopes(moments: JointMoments, behaviour: int, others: list[int], errors: Array) -> Array:
    """Coefficients of a behaviour's first stages on the others', weighted by its errors."""
    root = 1 / np.sqrt(errors[:, behaviour])
    target, explaining = moments.first_stages[:, behaviour] * root, moments.first_stages[:, others] * root[:, None]
    return np.asarray(linalg.lstsq(explaining, target)[0])


def confused_with(moments: JointMoments, behaviour: int) -> str:
    """The other behaviour that explains most of a behaviour's first stages; "" without others."""
    j, p = len(moments.nudges), len(moments.behaviours) + 1
    others = [place for place in range(p - 1) if place != behaviour]
    if not others:
        return ""
    errors = np.maximum(np.diag(moments.covariance).reshape(j, p)[:, 1:], 1e-300)
    slopes = _slopes(moments, behaviour, others, errors)
    sizes = np.abs(slopes) * np.sqrt((moments.first_stages[:, others] ** 2 / errors[:, [behaviour]]).sum(axis=0))
    return moments.behaviours[others[int(np.argmax(sizes))]]


def _agreement(moments: JointMoments, best: float, alpha: float) -> Agreement | NotComputable:
    freedom = len(moments.nudges) - len(moments.behaviours)
    if freedom < 1:
        return NotComputable(Reason.AS_MANY_NUDGES_AS_BEHAVIOURS)
    p_value = float(stats.chi2.sf(best, freedom))
    if p_value >= alpha or freedom == 1:
        return Agreement(best, freedom, p_value, ())
    without = [_whole(moments.without(place)).lowest()[0] for place in range(len(moments.nudges))]
    rest = dict(zip(moments.nudges, (float(stats.chi2.sf(q, freedom - 1)) for q in without), strict=True))
    influential = tuple(name for name, p in rest.items() if p >= alpha)
    return Agreement(
        best, freedom, p_value, influential, tuple(name for name, p in rest.items() if p >= SUSPECT * alpha)
    )


def _trusted(
    moments: JointMoments, agreement: Agreement | NotComputable, alpha: float
) -> tuple[JointMoments, frozenset[str]]:
    """Moments to be read, and the behaviours about which the nudges disagree: those that a suspect moves, else all.

    A suspect is left out of the rest too, whose numbers it would bend through what it moves; and with it the behaviours
    that no other nudge moves, which would leave more unknowns than nudges.
    """
    if isinstance(agreement, NotComputable) or agreement.p_value >= alpha:
        return moments, frozenset()
    j, p = len(moments.nudges), len(moments.behaviours) + 1
    errors = np.sqrt(np.maximum(np.diag(moments.covariance).reshape(j, p)[:, 1:], 0))
    suspect = np.array([name in agreement.suspects for name in moments.nudges])
    # All that it may well have moved: here a behaviour missed gets a wrong number, one too many only none.
    named = (np.abs(moments.first_stages) > errors)[suspect].any(axis=0)
    moved = (np.abs(moments.first_stages) > MOVED_ERRORS * errors)[~suspect].any(axis=0)
    read = moved | ~named
    if not agreement.influential or named.all() or (~suspect).sum() < read.sum():
        return moments, frozenset(moments.behaviours)
    disagreed = frozenset(name for name, by in zip(moments.behaviours, named, strict=True) if by)
    return moments.of(np.flatnonzero(~suspect), np.flatnonzero(read)), disagreed


def _unread(moments: JointMoments, name: str) -> BehaviourReading:
    """A behaviour that only suspects moved."""
    place, missing = moments.behaviours.index(name), NotComputable(Reason.NUDGES_DISAGREE)
    strength, alike = conditional_f(moments, place), confused_with(moments, place)
    return BehaviourReading(name, missing, missing, missing, None, strength, told_apart=False, confused_with=alike)


def _direct_effect(moments: JointMoments, alpha: float) -> AndersonRubin | NotComputable:
    """The set of the average direct effect: what all nudges add to the outcome whatever behaviours they moved."""
    j, k = len(moments.nudges), len(moments.behaviours)
    if j < k + INTERCEPT_FROM:
        return NotComputable(Reason.TOO_FEW_EXPERIMENTS, {"n": j, "needed": k + INTERCEPT_FROM})
    p = k + 1
    together = np.column_stack([moments.itt, moments.first_stages, np.ones(j)])
    covariance = np.zeros((j, p + 1, j, p + 1))
    covariance[:, :p, :, :p] = moments.covariance.reshape(j, p, j, p)
    quadratic = _Quadratic(together, covariance)
    profile = _Profile.of(quadratic, p, quadratic.lowest()[1])
    return profile.effects_below(float(stats.chi2.isf(alpha, j - k)), 1 - alpha)


@dataclass(frozen=True, eq=False)
class _Profile:
    """The smallest Q over the other behaviours' effects, by the angle atan(b / unit) of one behaviour's effect b."""

    quadratic: _Quadratic
    column: int
    unit: float
    angles: Array
    values: Array

    @classmethod
    def of(cls, quadratic: _Quadratic, column: int, best: Array) -> "_Profile":
        """The profile on a grid that holds the best direction's angle and "no effect"."""
        sizes = quadratic.sizes()
        unit = float(sizes[0] / sizes[column])
        blank = cls(quadratic, column, unit, np.empty(0), np.empty(0))
        angles = np.unique([*(-pi / 2 + pi * np.arange(GRID) / GRID), atan(-best[column] / unit), 0.0])
        return cls(quadratic, column, unit, angles, blank.at(angles))

    def at(self, angles: Array) -> Array:
        """The statistic at angles."""
        p = self.quadratic.moments.shape[1]
        first = np.zeros((len(angles), p))
        first[:, 0], first[:, self.column] = np.cos(angles), -self.unit * np.sin(angles)
        rest = [place for place in range(1, p) if place != self.column]
        return self.quadratic.lowest_from(first, np.eye(p)[rest])[0]

    def effects_below(self, critical: float, level: float) -> AndersonRubin:
        """Effects whose statistic is at most ``critical``.

        A set of several pieces is given as the smallest set of one shape that holds them all.
        """
        inside = self.values <= critical
        if inside.all():
            return AndersonRubin(Shape.LINE, None, None, level)
        if not inside.any():
            return AndersonRubin(Shape.EMPTY, None, None, level)
        after = np.append(self.angles[1:], pi / 2)
        edges = np.flatnonzero(inside != np.roll(inside, -1))
        found = self._edges(self.angles[edges], after[edges], critical, inside[edges])
        ends = [self.unit * tan(angle) for angle in found.tolist()]
        if not inside[0]:  # an effect without end is rejected
            return AndersonRubin(Shape.INTERVAL, min(ends), max(ends), level)
        # Gaps of the set, each from where it is left to where it is entered again.
        gaps = [(ends[place], ends[(place + 1) % len(ends)]) for place, edge in enumerate(edges) if inside[edge]]
        low, high = max(gaps, key=lambda gap: atan(gap[1] / self.unit) - atan(gap[0] / self.unit))
        return AndersonRubin(Shape.RAYS, low, high, level)

    def _edges(self, low: Array, high: Array, critical: float, inside_first: NDArray[np.bool_]) -> Array:
        """For each pair of angles the one between them at which the statistic is ``critical``."""
        pairs = np.arange(len(low))
        share = np.linspace(0, 1, ZOOM)
        for _ in range(ZOOMS):
            angles = low[:, None] + (high - low)[:, None] * share
            values = self.at(angles.ravel()).reshape(angles.shape)
            turned = (values <= critical) != inside_first[:, None]
            place = np.maximum(turned.argmax(axis=1), 1)
            low, high = angles[pairs, place - 1], angles[pairs, place]
        below, above = values[pairs, place - 1] - critical, values[pairs, place] - critical
        gap = np.where(below != above, below - above, 1.0)
        return np.where(below != above, low + (high - low) * below / gap, low)
