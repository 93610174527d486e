"""Do the effects of nudges add up? Each pair of a factorial experiment's nudges, and what could have been found.

The joint reading takes effects on the outcome to add up. Where one nudge changes what another does, the contrasts of
single nudges are averages over the others' arms.

Source: docs/methods/joint.md, "Interactions of nudges"; Blackwell, Pashley 2023.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy import stats

from stats.cells import pool_cells
from stats.compare import by_z
from stats.instrument.joint import sums_by_cluster
from stats.interaction import FEWEST_IN_A_CELL
from stats.multiplicity import holm
from stats.results import Estimate, NotComputable, Reason, check_alpha, computable
from stats.summaries import Array, Mean

POWER = 0.8


@dataclass(frozen=True)
class NudgePair:
    """How one nudge changes the effect of another on the outcome.

    Attributes:
        nudges: both names.
        change: (both - first alone) - (second alone - none), in the outcome's unit, over the arms of all other nudges.
        adjusted_p: its p-value by Holm over all pairs.
        smallest: the smallest change, either way, that this many users find in ``POWER`` of experiments at the level of
            one pair of all (Bonferroni), in the outcome's unit.
    """

    nudges: tuple[str, str]
    change: Estimate | NotComputable
    adjusted_p: float | NotComputable
    smallest: float | NotComputable


def nudge_pairs(
    nudges: Sequence[str], outcome: Array, arms: Array, *, alpha: float = 0.05, clusters: npt.ArrayLike | None = None
) -> tuple[NudgePair, ...]:
    """Test every pair of nudges for an interaction on the outcome.

    Args:
        nudges: J names.
        outcome: n values.
        arms: n x J, 1 nudged, 0 not.
        alpha: two-sided error rate over all pairs.
        clusters: as for ``moments_of_units``; None: every user counts alone.
    """
    check_alpha(alpha)
    pairs = list(combinations(range(len(nudges)), 2))
    changes = [_change(outcome, arms[:, first], arms[:, second], alpha, clusters) for first, second in pairs]
    return _told(nudges, changes, alpha)


def nudge_pairs_of_sets(
    nudges: Sequence[str], on: Array, n: Array, means: Array, variances: Array, *, alpha: float = 0.05
) -> tuple[NudgePair, ...]:
    """The same test from summaries of the users of each set of nudges that could be drawn.

    With at most M nudges at once, the four groups of a pair are made of those sets of the other nudges with which all
    four could be drawn; each set has the same chance there, so that the other nudges are alike in all four.

    Args:
        nudges: J names.
        on: C x J, 1 where the set has the nudge; all sets that could be drawn.
        n: C numbers of users.
        means: C means of the outcome.
        variances: C variances, with n - 1.
        alpha: as for ``nudge_pairs``.
    """
    check_alpha(alpha)
    changes = []
    for first, second in combinations(range(len(nudges)), 2):
        rest = np.delete(on, [first, second], axis=1)
        _found, group, sizes = np.unique(rest, axis=0, return_inverse=True, return_counts=True)
        whole = sizes[group.ravel()] == 4
        cells = []
        for one in (0, 1):
            for two in (0, 1):
                inside = whole & (on[:, first] == one) & (on[:, second] == two)
                cells.append(pool_cells(n[inside], means[inside, None], variances[inside, None, None]).column(0))
        changes.append(_change_of_means(cells, alpha))
    return _told(nudges, changes, alpha)


def _told(nudges: Sequence[str], changes: Sequence[Estimate | NotComputable], alpha: float) -> tuple[NudgePair, ...]:
    """The changes of all pairs, in the order of `combinations`, with Holm's p-values."""
    pairs = list(combinations(nudges, 2))
    adjusted = iter(holm([change.p_value for change in changes if computable(change)]))
    reach = float(stats.norm.isf(alpha / (2 * max(len(pairs), 1))) + stats.norm.isf(1 - POWER))
    return tuple(
        NudgePair(
            pair,
            change,
            next(adjusted) if computable(change) else change,
            reach * change.standard_error if computable(change) else change,
        )
        for pair, change in zip(pairs, changes, strict=True)
    )


def _change_of_means(cells: Sequence[Mean], alpha: float) -> Estimate | NotComputable:
    """Of the groups without both, with the second alone, with the first alone, with both."""
    least = min(cell.n for cell in cells)
    if least < FEWEST_IN_A_CELL:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": least, "needed": FEWEST_IN_A_CELL})
    none, second, first, both = (cell.mean for cell in cells)
    error = sqrt(sum(cell.variance / cell.n for cell in cells))
    if error <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    return by_z(both - first - second + none, error, alpha, "interactions-of-nudges")


def _change(
    outcome: Array, first: Array, second: Array, alpha: float, clusters: npt.ArrayLike | None
) -> Estimate | NotComputable:
    change, influence = 0.0, np.zeros(len(outcome))
    for one in (0, 1):
        for two in (0, 1):
            cell = (first == one) & (second == two)
            n = int(cell.sum())
            if n < FEWEST_IN_A_CELL:
                return NotComputable(Reason.TOO_FEW_UNITS, {"n": n, "needed": FEWEST_IN_A_CELL})
            sign, mean = 1.0 if one == two else -1.0, float(outcome[cell].mean())
            change += sign * mean
            # As in moments_of_units: the squares add up to the n - 1 variance of each mean.
            influence[cell] = sign * (outcome[cell] - mean) / n * sqrt(n / (n - 1))
    if clusters is not None:
        influence = sums_by_cluster(influence[:, None], clusters)[:, 0]
    error = sqrt(float(influence @ influence))
    return by_z(change, error, alpha, "interactions-of-nudges") if error > 0 else NotComputable(Reason.NO_VARIANCE)
