"""What nudging a unit gains, as a score whose mean over any group is the effect on that group."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from stats.policy.unit_folds import Fold
from stats.results import Interval
from stats.summaries import Array
from stats.trait_cells import TraitCells

# The outcome model of a cell is drawn towards its arm's mean as if so many units of the arm stood in the cell.
PRIOR_UNITS = 20.0


@dataclass(frozen=True, eq=False)
class Scores:
    """Of each cell: its units, the sum of their scores and the sum of the squares."""

    units: Array
    total: Array
    squares: Array

    def times(self, weights: Array) -> "Scores":
        """Each cell's scores times a weight; a weight of 0 leaves its units in."""
        return Scores(self.units, self.total * weights, self.squares * weights**2)

    def net(self, cost: float) -> "Scores":
        """The scores less the cost of nudging a unit."""
        total = self.total - cost * self.units
        return Scores(self.units, total, self.squares - 2 * cost * self.total + cost**2 * self.units)

    def inside(self, kept: Array) -> "Scores":
        """The units of some cells alone."""
        return Scores(self.units * kept, self.total * kept, self.squares * kept)

    def mean(self, alpha: float) -> Interval:
        """Mean over all units with its normal interval."""
        n = float(self.units.sum())
        mean = float(self.total.sum()) / n
        error = sqrt(max(float(self.squares.sum()) / n - mean**2, 0.0) / n)
        half = float(stats.norm.isf(alpha / 2)) * error
        return Interval(mean, mean - half, mean + half, 1 - alpha, "whom-to-nudge")


def scores(judging: Fold, learning: Fold, share: Array) -> Scores:
    """Doubly robust scores of a fold's units, with an outcome model that was learnt on others.

    A unit's score is m1(x) - m0(x) + G (R - m1(x))/e - (1-G)(R - m0(x))/(1-e); a cell's moments give its sum and the
    sum of its squares.

    Args:
        judging: the units that are scored.
        learning: the units from which m is learnt.
        share: of the variant among a cell's units as assigned, per cell.

    Source: Robins, Rotnitzky and Zhao 1994.
    """
    model = _outcome_model(learning)
    gap = (model[:, 1] - model[:, 0])[:, None]
    weight = np.column_stack([-1 / (1 - share), 1 / share])
    centre = gap + weight * (judging.means - model)
    squares = np.maximum(judging.n - 1, 0) * judging.variance * weight**2 + judging.n * centre**2
    return Scores(judging.units, (judging.n * centre).sum(axis=1), squares.sum(axis=1))


def variant_share(cells: TraitCells) -> Array:
    """Share of the variant in each cell's stratum, as its units show it; strictly between 0 and 1."""
    found = np.zeros(len(cells.n))
    for stratum in np.unique(cells.stratum):
        inside = cells.stratum == stratum
        control, variant = cells.n[inside].sum(axis=0)
        found[inside] = variant / (control + variant)
    return found


def _outcome_model(fold: Fold) -> Array:
    """Mean outcome per cell and arm, drawn towards the arm's mean: a small cell has hardly one of its own."""
    arm = (fold.n * fold.means).sum(axis=0) / np.maximum(fold.n.sum(axis=0), 1)
    return np.asarray((fold.n * fold.means + PRIOR_UNITS * arm) / (fold.n + PRIOR_UNITS))
