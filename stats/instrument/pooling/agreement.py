"""Do the nudges agree on one effect, and which experiments drive the pooled one?"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from stats.instrument.pooling.circle import lowest_without_each
from stats.instrument.pooling.egger import Egger
from stats.instrument.pooling.stack import Stack
from stats.results import NotComputable, Reason, computable
from stats.summaries import Array

# How the two tests share alpha. A few nudges that act by themselves show in the first one alone; the second is for
# nudges that all do.
SHARE_OVER, SHARE_INTERCEPT = 0.8, 0.2


@dataclass(frozen=True)
class Agreement:
    """Could one effect of the behaviour, and nothing else, explain what all nudges did?

    Attributes:
        statistic: over-identification statistic: the smallest value that the Anderson-Rubin statistic takes.
        degrees_of_freedom: instruments less one.
        p_over_identified: its upper tail.
        p_intercept: of Egger's intercept, two-sided: do the nudges act by themselves on average?
        p_value: of both together, weighted Bonferroni; below alpha, the nudges disagree.
        agree: whether ``p_value`` is at least alpha. That they agree isn't proof that no nudge acts by itself.
    """

    statistic: float
    degrees_of_freedom: int
    p_over_identified: float
    p_intercept: float | NotComputable
    p_value: float
    agree: bool


@dataclass(frozen=True)
class Influence:
    """What one experiment adds.

    Attributes:
        key: of the experiment.
        name: of its first instrument.
        weight: its share of the information on the effect, 0 to 1.
        misfit: how far the over-identification statistic falls without it.
        without: pooled LIML effect of the others.
        p_without: over-identification p-value of the others; not computable for one instrument.
    """

    key: str
    name: str
    weight: float
    misfit: float
    without: float
    p_without: float | NotComputable


def agreement(stack: Stack, best: float, egger: Egger | NotComputable, *, alpha: float) -> Agreement | NotComputable:
    """The over-identification test at the LIML value, and that of Egger's intercept.

    Source: Sargan 1958; Hansen, Heaton and Yaron 1996; Bowden, Davey Smith and Burgess 2015; docs/methods/pooling.md.
    """
    if stack.size < 2:
        return NotComputable(Reason.TOO_FEW_TO_POOL, {"n": stack.size, "needed": 2})
    statistic = float(stack.ar(np.array([best]))[0])
    p_over = float(stats.chi2.sf(statistic, stack.size - 1))
    if not computable(egger):
        return Agreement(statistic, stack.size - 1, p_over, egger, p_over, p_over >= alpha)
    p_intercept = egger.intercept.p_value
    p_value = min(p_over / SHARE_OVER, p_intercept / SHARE_INTERCEPT, 1.0)
    return Agreement(statistic, stack.size - 1, p_over, p_intercept, p_value, p_value >= alpha)


def influence(stack: Stack, best: float, names: dict[str, str]) -> tuple[Influence, ...]:
    """Leave-one-out, the worst-fitting experiment first.

    Args:
        stack: the instruments.
        best: angle of LIML.
        names: key and name of each experiment, in the stack's order.
    """
    if stack.member.shape[1] < 2:
        return ()
    whole = float(stack.ar(np.array([best]))[0])
    weights = _weights(stack, best)
    rows = []
    others = zip(*lowest_without_each(stack), strict=True)
    for j, ((key, name), (angle, statistic)) in enumerate(zip(names.items(), others, strict=True)):
        left = stack.size - int(stack.member[:, j].sum())
        p: float | NotComputable = NotComputable(Reason.TOO_FEW_TO_POOL, {"n": left, "needed": 2})
        if left > 1:
            p = float(stats.chi2.sf(statistic, left - 1))
        misfit = max(whole - float(statistic), 0.0)
        rows.append(Influence(key, name, float(weights[j]), misfit, stack.effect(float(angle)), p))
    return tuple(sorted(rows, key=lambda row: -row.misfit))


def _weights(stack: Stack, best: float) -> Array:
    """Share of each experiment in the information along the line through the pooled effect."""
    cos, sin = float(np.cos(best)), float(np.sin(best))
    along = stack.itt * sin + stack.first * cos
    r, c, d = stack.covariances()
    across = r * cos**2 - 2 * c * sin * cos + d * sin**2
    found = (along * np.linalg.solve(across, along)) @ stack.member
    return np.asarray(found / found.sum()) if found.sum() > 0 else np.full(len(found), 1 / len(found))
