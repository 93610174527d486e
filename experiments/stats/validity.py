"""Can the nudge be a valid instrument? Testable implications of exclusion and monotonicity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from events.reasons import NotComputable, Reason
from experiments.stats.multiplicity import holm


@dataclass(frozen=True)
class Inequalities:
    """Result of the instrument inequalities.

    Attributes:
        p_value: smallest Holm-adjusted one-sided p-value, 0 to 1.
        worst: the inequality with that p-value, ``(outcome bin, behaviour)``.
        p_values: the raw one-sided p-values in the order of testing.
    """

    p_value: float
    worst: tuple[int, int]
    p_values: tuple[float, ...]


def instrument_inequalities(
    outcome: NDArray[np.float64],
    behaviour: NDArray[np.float64],
    nudged: NDArray[np.bool_],
    *,
    bins: int = 5,
    clusters: NDArray[np.int64] | None = None,
) -> Inequalities | NotComputable:
    """Kitagawa's and Huber and Mellace's inequalities, tested one by one and joined by Holm.

    With a random nudge that works only through the behaviour and keeps nobody from it,
    ``P(R=r, D=1 | nudge) >= P(R=r, D=1 | control)`` and ``P(R=r, D=0 | control) >= P(R=r, D=0 | nudge)`` for every r.
    A rejection says that exclusion or monotonicity fails; no rejection proves little, since power is low for small
    direct effects. A numeric outcome is cut at its quintiles first.

    Args:
        outcome: R per unit, 0/1 or numeric, no missing values.
        behaviour: D per unit, 0 or 1.
        nudged: True for the encouraged arm.
        bins: number of quantile bins of a numeric outcome.
        clusters: group per unit when groups were assigned; errors are then between groups.

    Returns:
        The smallest Holm-adjusted one-sided p-value; not computable when no cell has any variation.

    Source: Kitagawa (2015), equation 1.1; Huber and Mellace (2015), section 3; METHODS 4.13.
    """
    coded = _codes(outcome, bins)
    raw: list[float] = []
    cells: list[tuple[int, int]] = []
    for value in np.unique(coded):
        for did in (1, 0):
            cell = ((coded == value) & (behaviour == did)).astype(float)
            # Positive means "more often without the reason to be": the direction that the assumptions forbid.
            sign = -1.0 if did == 1 else 1.0
            p_value = _forbidden_tail(cell, nudged, clusters, sign)
            if p_value is not None:
                raw.append(p_value)
                cells.append((int(value), did))
    if not raw:
        return NotComputable(Reason.NO_VARIANCE)
    adjusted = holm(raw)
    worst = int(np.argmin(adjusted))
    return Inequalities(float(adjusted[worst]), cells[worst], tuple(raw))


def _codes(outcome: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    values = np.unique(outcome)
    if len(values) <= bins:
        return np.searchsorted(values, outcome).astype(np.int64)
    edges = np.unique(np.quantile(outcome, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, outcome, side="right").astype(np.int64)


def _forbidden_tail(
    cell: NDArray[np.float64], nudged: NDArray[np.bool_], clusters: NDArray[np.int64] | None, sign: float
) -> float | None:
    """One-sided p-value of the cell's share in the direction that the assumptions forbid.

    Normal law with unpooled errors; between clusters a t law with Satterthwaite degrees of freedom.
    """
    difference, parts = 0.0, []
    for arm, side in ((nudged, 1.0), (~nudged, -1.0)):
        values = cell[arm]
        if len(values) < 2:
            return None
        difference += side * float(values.mean())
        residual = values - values.mean()
        groups, squares = len(values), float(residual @ residual)
        if clusters is not None:
            sums = np.bincount(clusters[arm], weights=residual)
            groups, squares = len(np.unique(clusters[arm])), float(sums @ sums)
        if groups < 2:
            return None
        parts.append((groups / (groups - 1) * squares / len(values) ** 2, groups - 1))
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return None
    statistic = sign * difference / float(np.sqrt(variance))
    if clusters is None:
        return float(stats.norm.sf(statistic))
    degrees = variance**2 / sum(part**2 / df for part, df in parts)
    return float(stats.t.sf(statistic, degrees))
