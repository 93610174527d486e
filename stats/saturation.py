"""Two-stage (saturation) designs: effects of a nudge on those who get it, and on those beside them.

Clusters draw the share of their units that is nudged, including 0; units are then drawn inside. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

from stats.clusters import ROUNDING, weighted_scores, weights_of
from stats.design_matrix import Integers, cluster_codes
from stats.instrument.anderson_rubin import AndersonRubin, anderson_rubin
from stats.instrument.encouragement import effect_on_behaviour, wald
from stats.iv_moments import Contrast, IvMoments
from stats.results import Estimate, NotComputable, Reason, check_alpha, computable
from stats.summaries import Array, Values, finite_array

# Groups for the comparison at one share.
CONTROL, BESIDE, NUDGED = 0, 1, 2
METHOD = "saturation"


@dataclass(frozen=True)
class BehaviourEffect:
    """The behaviour's effect from one contrast of a saturation design.

    Attributes:
        moved: the contrast on the behaviour, 0.01 = one point. Of one's own effect: the share of units that did it; of
            the peers': the share of a unit's friends that did it.
        effect: the contrast on the outcome over `moved` (Wald), in the outcome's unit. Of the peers' effect it is the
            effect of all friends together if none of them did it before.
        effect_set: the Anderson-Rubin set of that ratio.
    """

    moved: Estimate | NotComputable
    effect: Estimate | NotComputable
    effect_set: AndersonRubin


@dataclass(frozen=True)
class SaturationEffects:
    """Clusters with one share of nudged units against the clusters in which nobody is nudged.

    Attributes:
        outcome: the metric's text.
        share: of a cluster's units that is nudged by plan, above 0 to 1.
        clusters: how many drew it; `control_clusters` drew 0.
        units: in pure control, beside nudged units, and nudged.
        means: of the same, in the outcome's unit; None where there are none.
        direct: nudged minus not nudged units of these clusters: the effect of one's own nudge among nudged others.
        spillover: units of these clusters that aren't nudged, minus units of clusters without nudge.
        total: nudged units minus units of clusters without nudge; the sum of the two.
        overall: all units of these clusters, by plan, minus units of clusters without nudge: the effect on an average
            unit of rolling out to this share of a cluster.
        own: effect of one's own behaviour, from the contrast of `direct`; None without a behaviour, and in payloads of
            0.4.
        peers: effect of the friends' behaviour on those beside them, from the contrast of `spillover`; None likewise.
        beside_moved: how much more of the units beside nudged ones did it than of clusters without nudge: the effect of
            friends' nudges on one's own behaviour, which `peers` assumes to be none; None likewise.
    """

    outcome: str
    share: float
    clusters: int
    control_clusters: int
    units: tuple[int, int, int]
    means: tuple[float | None, float | None, float | None]
    direct: Estimate | NotComputable
    spillover: Estimate | NotComputable
    total: Estimate | NotComputable
    overall: Estimate | NotComputable
    own: BehaviourEffect | NotComputable | None = None
    peers: BehaviourEffect | NotComputable | None = None
    beside_moved: Estimate | NotComputable | None = None


def saturation_effects(
    y: Values,
    nudged: Values,
    share: Values,
    clusters: npt.ArrayLike,
    *,
    at: float,
    outcome: str = "",
    alpha: float = 0.05,
    n: Values | None = None,
    behaviour: Values | None = None,
) -> SaturationEffects:
    """Direct, spillover, total and overall effect at one share, with errors between clusters; own and peers' effect.

    Differences of the means of units (each unit counts once, so large clusters count more). One regression on the three
    groups gives all four contrasts: CR2 errors, t with Bell-McCaffrey degrees of freedom. They allow any interference
    within a cluster, but none between clusters.

    With a behaviour: one's own effect is direct / (its contrast on the behaviour). Units are drawn one by one inside a
    cluster, so that friends' acts are alike on both sides and cancel; a comparison inside each single cluster would be
    biased, since a nudged unit there has one nudged friend less. The peers' effect is spillover / (its contrast on the
    share of friends that did it): a nudge must reach those beside it by the friends' acts alone, and these must not
    change one's own act (`beside_moved` shows whether they do).

    Args:
        y: outcome per row.
        nudged: 1 for nudged units, 0 for the others.
        share: of its cluster's units that is nudged by plan, per row.
        clusters: label of each row's cluster.
        at: the share to evaluate; rows of other shares above 0 are left out.
        outcome: its name, stored with the result.
        alpha: two-sided error rate.
        n: units per row, where rows are cells with the means of the outcome.
        behaviour: share of the row's units that did it.

    Source: Hudgens and Halloran 2008 (direct, indirect, total and overall effects); Baird, Bohren, McIntosh and Ozler
    2018 (two-stage designs); Bell and McCaffrey 2002 (errors); Kang and Imbens 2016, Imai, Jiang and Malani 2021,
    Vazquez-Bare 2023 (own and peers' effect under non-compliance).
    """
    check_alpha(alpha)
    outcomes, arm, shares = (finite_array(values, dimensions=1) for values in (y, nudged, share))
    rows = ((shares == 0) & (arm == 0)) | (shares == at)
    group = np.where(shares == 0, CONTROL, np.where(arm == 1, NUDGED, BESIDE))[rows]
    values, units = outcomes[rows], weights_of(n, len(outcomes))[rows]
    codes = cluster_codes(np.asarray(clusters)[rows], len(values))
    sizes = np.bincount(group, weights=units, minlength=3)
    sums = np.bincount(group, weights=units * values, minlength=3)
    means = tuple(float(total / size) if size else None for total, size in zip(sums, sizes, strict=True))
    direct, spillover, total, overall = (
        _contrast(values, group, codes, units, row, alpha)
        for row in ((0.0, -1.0, 1.0), (-1.0, 1.0, 0.0), (-1.0, 0.0, 1.0), (-1.0, 1 - at, at))
    )
    effects = SaturationEffects(
        outcome,
        at,
        len(np.unique(codes[group != CONTROL])),
        len(np.unique(codes[group == CONTROL])),
        (int(sizes[0]), int(sizes[1]), int(sizes[2])),
        (means[0], means[1], means[2]),
        direct,
        spillover,
        total,
        overall,
    )
    if behaviour is None:
        return effects
    did = finite_array(behaviour, dimensions=1)[rows]
    own, peers, moved = _of_behaviour(values, did, group, codes, units, alpha)
    return replace(effects, own=own, peers=peers, beside_moved=moved)


def _of_behaviour(
    y: Array, did: Array, group: Integers, codes: Integers, units: Array, alpha: float
) -> tuple[BehaviourEffect | NotComputable, BehaviourEffect | NotComputable, Estimate | NotComputable]:
    """Own and peers' effect, and the effect of friends' nudges on one's own behaviour."""
    sizes = np.bincount(codes, weights=units)[codes]
    sums = np.bincount(codes, weights=units * did)[codes]
    friendly = sizes > 1  # a unit alone in its cluster has no friends
    friends = np.divide(sums - did, sizes - 1, out=np.zeros(len(did)), where=friendly)
    own, beside, peers = np.column_stack([y, did]), group != NUDGED, np.column_stack([y, friends])
    moved = _moments(own[beside], group[beside], codes[beside], units[beside], (CONTROL, BESIDE))
    beside &= friendly
    direct = group != CONTROL
    inside = _moments(own[direct], group[direct], codes[direct], units[direct], (BESIDE, NUDGED))
    across = _moments(peers[beside], group[beside], codes[beside], units[beside], (CONTROL, BESIDE))
    return _effect(inside, alpha), _effect(across, alpha), effect_on_behaviour(moved, alpha=alpha)


def _effect(moments: IvMoments | NotComputable, alpha: float) -> BehaviourEffect | NotComputable:
    if not computable(moments):
        return moments
    moved, effect = effect_on_behaviour(moments, alpha=alpha), wald(moments, alpha=alpha)
    return BehaviourEffect(moved, effect, anderson_rubin(moments, alpha=alpha))


def _moments(
    columns: Array, group: Integers, codes: Integers, units: Array, sides: tuple[int, int]
) -> IvMoments | NotComputable:
    """Moments of the second group minus the first, for outcome and behaviour together."""
    clusters = min(len(np.unique(codes[group == side])) for side in sides)
    if clusters < 2:
        return NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": clusters, "needed": 2})
    own = np.unique(codes, return_inverse=True)[1].astype(np.intp)
    design = (group[:, None] == np.array(sides)).astype(np.float64)
    sizes = units @ design
    levels = (design * units[:, None]).T @ columns / sizes[:, None]
    scores = weighted_scores(design, np.array([-1.0, 1.0]), columns - design @ levels, own, units)
    first, second = (round(float(size)) for size in sizes)
    return Contrast(levels[1] - levels[0], scores.covariance, first, second, scores.degrees_of_freedom).moments


def _contrast(
    values: Array, group: Integers, codes: Integers, units: Array, weights: Sequence[float], alpha: float
) -> Estimate | NotComputable:
    """One contrast of the groups' means; groups without weight stay in the regression without effect."""
    used = [place for place, weight in enumerate(weights) if weight]
    clusters = [len(np.unique(codes[group == place])) for place in used]
    if min(clusters) < 2:
        return NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": min(clusters), "needed": 2})
    here = np.isin(group, used)
    y, n, own = values[here], units[here], np.unique(codes[here], return_inverse=True)[1].astype(np.intp)
    design = (group[here][:, None] == np.array(used)).astype(np.float64)
    levels = (n @ (design * y[:, None])) / (n @ design)
    contrast = np.array([weights[place] for place in used])
    scores = weighted_scores(design, contrast, (y - design @ levels)[:, None], own, n)
    variance, effect = float(scores.covariance[0, 0]), float(contrast @ levels)
    if variance <= ROUNDING * float(np.square(y).max()):
        return NotComputable(Reason.NO_VARIANCE)
    law, error = stats.t(scores.degrees_of_freedom), sqrt(variance)
    half = error * float(law.isf(alpha / 2))
    p_value = 2 * float(law.sf(abs(effect) / error))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, METHOD)
