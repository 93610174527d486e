"""All outcomes of a stored experiment, as pairs of arms in cells. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from experiments.analyse.comparison.levels import columns_of
from experiments.analyse.comparison.warehouse_cells import CellPair, Counts
from experiments.analyse.effects import ArmValue
from experiments.analyse.gather.answers import Cells
from experiments.analyse.protocol import level_of
from experiments.plan.design import Kind, kind_of
from experiments.plan.earlier.predictor import UNADJUSTED, Predictor
from experiments.plan.record import DAYS_BEFORE
from stats.summaries import Array
from stats.trait_cells import TraitColumns


@dataclass(frozen=True, eq=False)
class CellData:
    """All outcomes of a stored experiment.

    Attributes:
        cells: the warehouse's result.
        order: outcome texts in the order of the plan.
        bins: for a numeric outcome, rows of (variant, bin, reached, units).
        same_split: False when the plan gives segments different shares.
        adjustment: which comparison decides: `unadjusted`, `lin` or `lin_predicted`, the last with its `prediction`.
    """

    cells: Cells
    order: tuple[str, ...]
    bins: Mapping[str, tuple[tuple[str, int, int, int], ...]]
    same_split: bool = True
    adjustment: str = UNADJUSTED
    prediction: Predictor | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Variants, control first."""
        return self.cells.variants

    @cached_property
    def outcomes(self) -> Mapping[str, Kind]:
        """Outcomes in the order of the plan."""
        return {name: kind_of(name) for name in self.order}

    def level(self, outcome: str, code: int, *, alpha: float) -> ArmValue:
        """n, mean, error and interval of one arm over all segments."""
        kind = self.outcomes[outcome]
        return level_of(kind, self.pair(outcome, code).variant if code else self.pair(outcome, 1).control, alpha=alpha)

    def pair(self, outcome: str, code: int, *, against: int = 0, week: int | None = None) -> CellPair:
        """The cells with mature units of one variant and its comparator; of all weeks of enrolment, or of one."""
        cells, block = self.cells, self.cells.blocks[outcome]
        mature, kept = self._mature(outcome, week), self.kept(outcome, code, against, week)
        # Over all arms, so that control has the same level beside every variant.
        units = np.bincount(cells.segment[mature], weights=block.n[mature], minlength=len(cells.segments))
        return CellPair(
            kind=self.outcomes[outcome],
            names=block.names,
            n=block.n[kept].astype(np.float64),
            means=block.means[kept],
            covariance=block.covariance[kept],
            treated=(cells.variant[kept] == code).astype(np.float64),
            segment=cells.segment[kept],
            segment_labels=cells.segments,
            x=self._columns[kept],
            by_lin=self.adjustment != UNADJUSTED and self.outcomes[outcome] is not Kind.QUANTILE,
            bins=self._counts(outcome, code, against),
            same_split=self.same_split,
            segment_units=units,
            known_before=self._known_before.of(kept),
        )

    def kept(self, outcome: str, code: int, against: int, week: int | None) -> np.ndarray:
        """Mask of the cells in the comparison."""
        return self._mature(outcome, week) & np.isin(self.cells.variant, (against, code))

    def _mature(self, outcome: str, week: int | None) -> np.ndarray:
        known = self.cells.blocks[outcome].n > 0
        return known if week is None else known & (self.cells.week == week)

    @cached_property
    def _known_before(self) -> TraitColumns:
        """Segment and covariates of each cell."""
        return columns_of(self.cells)

    @cached_property
    def _columns(self) -> Array:
        """Adjustment columns: a dummy per level of a property but the first, and active days before as a number.

        Where a prediction was registered it is the only column, since it summarises all of them.
        """
        cells = self.cells
        if self.prediction is not None:
            labels = [
                [cells.levels[place][code] for place, code in enumerate(codes)] for codes in cells.covariate.tolist()
            ]
            return self.prediction.score(cells.covariates, labels)[:, None]
        columns = []
        for place, (name, levels) in enumerate(zip(cells.covariates, cells.levels, strict=True)):
            codes = cells.covariate[:, place]
            if name == DAYS_BEFORE:
                columns.append(np.array(levels, dtype=np.float64)[codes])
            else:
                columns += [(codes == level).astype(np.float64) for level in range(1, len(levels))]
        return np.column_stack(columns) if columns else np.empty((len(cells.variant), 0))

    def _counts(self, outcome: str, code: int, against: int) -> Counts | None:
        rows = self.bins.get(outcome)
        if not rows:
            return None
        counts = np.zeros((2, 1 + max(row[1] for row in rows), 2))
        arms = {self.labels[against]: 0, self.labels[code]: 1}
        for variant, place, reached, units in rows:
            if variant in arms:
                counts[arms[variant], place, reached] += units
        return counts
