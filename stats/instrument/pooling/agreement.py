"""Do the nudges agree on one effect, and which experiments drive the pooled one?"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from stats.instrument.pooling.circle import lowest
from stats.instrument.pooling.egger import Egger
from stats.instrument.pooling.stack import Stack
from stats.results import NotComputable, Reason, computable


@dataclass(frozen=True)
class Agreement:
    """Could one effect of the behaviour, and nothing else, explain what all nudges did?

    Attributes:
        statistic: over-identification statistic: the smallest value that the Anderson-Rubin statistic takes.
        degrees_of_freedom: instruments less one.
        p_over_identified: its upper tail.
        p_intercept: of Egger's intercept, two-sided: do the nudges act by themselves on average?
        p_value: of both together (Bonferroni); below alpha, the nudges disagree.
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

    Source: Sargan 1958; Hansen, Heaton and Yaron 1996; Bowden, Davey Smith and Burgess 2015; METHODS 4.18.
    """
    if stack.size < 2:
        return NotComputable(Reason.TOO_FEW_TO_POOL, {"n": stack.size, "needed": 2})
    statistic = float(stack.ar(np.array([best]))[0])
    p_over = float(stats.chi2.sf(statistic, stack.size - 1))
    if not computable(egger):
        return Agreement(statistic, stack.size - 1, p_over, egger, p_over, p_over >= alpha)
    p_intercept = egger.intercept.p_value
    p_value = min(2 * min(p_over, p_intercept), 1.0)
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
    for j, (key, name) in enumerate(names.items()):
        others = stack.without(j)
        angle = lowest(others)
        statistic = float(others.ar(np.array([angle]))[0])
        p: float | NotComputable = NotComputable(Reason.TOO_FEW_TO_POOL, {"n": others.size, "needed": 2})
        if others.size > 1:
            p = float(stats.chi2.sf(statistic, others.size - 1))
        rows.append(Influence(key, name, float(weights[j]), max(whole - statistic, 0.0), others.effect(angle), p))
    return tuple(sorted(rows, key=lambda row: -row.misfit))


def _weights(stack: Stack, best: float) -> np.ndarray:
    """Share of each experiment in FS' V^-1 FS at the LIML value."""
    r, c, d = stack.covariances()
    b = float(np.tan(best))
    part = stack.first * np.linalg.solve(r - 2 * b * c + b**2 * d, stack.first)
    found = part @ stack.member
    return np.asarray(found / found.sum()) if found.sum() > 0 else np.full(len(found), 1 / len(found))
