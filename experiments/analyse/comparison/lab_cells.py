"""Comparisons of a lab's nudges over its cells: all users with one against all without it. Pure.

The cells are those of the sets of nudges. The engine sees one arm for each nudge, beside `OFF`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from experiments.analyse.comparison.warehouse_cells import CellData, CellPair
from experiments.analyse.effects import ArmValue
from experiments.analyse.gather.answers import DENOMINATOR, REACHED, Block, other_name
from experiments.plan.design import Kind
from experiments.plan.lab import OFF, behaviours_of, nudges_in, sides
from experiments.plan.record import Plan
from stats.cells import pool_cells
from stats.ratios import linearised, ratio_point
from stats.summaries import Array

type Behaviour = tuple[str, int]  # its text, and the number of times from which it counts as done


@dataclass(frozen=True, eq=False, kw_only=True)
class LabData(CellData):
    """All outcomes of a lab.

    Attributes:
        nudges: keys.
        behaviours: of the joint reading, each with its column of the blocks.
    """

    nudges: tuple[str, ...]
    behaviours: Mapping[Behaviour, str]

    @property
    def labels(self) -> tuple[str, ...]:
        """`OFF` for all without a nudge, then the nudges."""
        return (OFF, *self.nudges)

    def level(self, outcome: str, code: int, *, alpha: float) -> ArmValue:
        """Of all users with a nudge; of `OFF` those without any, since each nudge has other users without it."""
        if code:
            return super().level(outcome, code, alpha=alpha)
        return self._by_set.level(outcome, 0, alpha=alpha)

    def pair(self, outcome: str, code: int, *, against: int = 0, week: int | None = None) -> CellPair:
        """The users with a nudge and those without, without their behaviours: what a nudge did is no one's effect."""
        return self._with_columns(outcome, code, (), against=against, week=week)

    def toward(self, outcome: str, code: int, behaviour: Behaviour) -> CellPair:
        """The same with one behaviour, as if the nudge worked through it alone."""
        return self._with_columns(outcome, code, (self.behaviours[behaviour],))

    def nudged(self, code: int) -> np.ndarray:
        """Mask of the cells whose set has the nudge."""
        key = self.labels[code]
        return np.isin(self.cells.variant, [place for place, name in enumerate(self._sets) if key in nudges_in(name)])

    def kept(self, outcome: str, code: int, against: int, week: int | None) -> np.ndarray:
        """Mask of the cells whose set may be drawn with and without the nudge."""
        both = sides(self._sets, self.labels[code])
        places = [place for place, name in enumerate(self._sets) if name in both]
        return np.asarray(self._mature(outcome, week) & np.isin(self.cells.variant, places))

    def on(self) -> Array:
        """Sets x nudges, 1 where the set has the nudge."""
        return np.array([[nudge in nudges_in(name) for nudge in self.nudges] for name in self._sets], np.float64)

    def summaries(self, outcome: str, *, with_outcome: bool = True) -> tuple[Array, Array, Array]:
        """Users, means and covariances of each set, of the outcome and then of each behaviour.

        A ratio is linearised within each set. Without the outcome its column holds zeros: for take-ups under the lock.
        """
        block = self.cells.blocks[outcome]
        columns = [block.names.index(name) for name in self.behaviours.values()]
        size = 1 + len(columns)
        n, means, covariance = (np.zeros((len(self._sets), *shape)) for shape in ((), (size,), (size, size)))
        for place in range(len(self._sets)):
            here = (block.n > 0) & (self.cells.variant == place)
            if not here.any():
                continue
            values, spread = _values(block, here, self.outcomes[outcome], columns, with_outcome=with_outcome)
            pooled = pool_cells(block.n[here].astype(np.float64), values, spread)
            n[place], means[place], covariance[place] = pooled.n, pooled.means, pooled.covariance
        return n, means, covariance

    @property
    def _sets(self) -> tuple[str, ...]:
        return self.cells.variants

    @property
    def _by_set(self) -> CellData:
        return CellData(self.cells, self.order, {}, self.same_split)

    def _with_columns(
        self, outcome: str, code: int, columns: tuple[str, ...], *, against: int = 0, week: int | None = None
    ) -> CellPair:
        pair = super().pair(outcome, code, against=against, week=week)
        value = 1 + (DENOMINATOR in pair.names)
        places = [*range(value), *(pair.names.index(name) for name in columns)]
        return replace(
            pair,
            names=(*pair.names[:value], *(REACHED for _ in columns)),
            means=pair.means[:, places],
            covariance=pair.covariance[:, places][:, :, places],
            other_names=(),
        )


def lab_behaviours(plan: Plan) -> dict[Behaviour, str]:
    """Behaviours of a lab's joint reading, with the columns in which its question measures them."""
    if plan.claim is None:
        return {}
    own, beside = (plan.claim.behaviour, plan.claim.times), plan.measured_beside
    return {pair: REACHED if pair == own else other_name(beside.index(pair)) for pair in behaviours_of(plan)}


def _values(
    block: Block, here: np.ndarray, kind: Kind, columns: list[int], *, with_outcome: bool
) -> tuple[Array, Array]:
    """Means and covariances of some cells in (outcome, behaviours)."""
    means, covariance = block.means[here], block.covariance[here]
    if not with_outcome:
        size = len(columns)
        values, spread = np.zeros((len(means), 1 + size)), np.zeros((len(means), 1 + size, 1 + size))
        values[:, 1:], spread[:, 1:, 1:] = means[:, columns], covariance[:, columns][:, :, columns]
        return values, spread
    if kind is Kind.RATIO:  # value and denominator become one column
        n = block.n[here].astype(np.float64)
        means, covariance = linearised(means, covariance, ratio_point(n, means))
    places = [0, *(place - (kind is Kind.RATIO) for place in columns)]
    return means[:, places], covariance[:, places][:, :, places]
