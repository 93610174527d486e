"""Comparisons over a stored experiment's cells of moments, with the same interface as those over a file's rows.

Segments are strata: a plan may give each its own coverage and weights, so arms are compared inside them and pooled.
Every covariate is constant within a cell, so moments are enough.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from experiments.analyse.comparison.protocol import (
    Strata,
    columns_of,
    level_of,
    moments_estimate,
    others_of,
    plain_difference,
    traits_of,
    with_reason,
)
from experiments.analyse.effects import ArmValue
from experiments.analyse.gather.answers import REACHED, Cells
from experiments.plan.design import Kind, kind_of
from experiments.plan.record import DAYS_BEFORE, UNADJUSTED, Predictor
from stats import adjustment, compare, stratified
from stats.cells import contrast_stratified, group_segments, iv_moments_cells, pool_cells
from stats.instrument.encouragement import wald
from stats.instrument.other_behaviours import OtherMoments
from stats.instrument.validity import Inequalities, inequalities_from_counts, inequalities_from_moments
from stats.iv_moments import Contrast, IvMoments, contrast
from stats.lin import LinEffects, lin_effects_stratified, lin_estimate, lin_lift
from stats.multiplicity import holm
from stats.ratios import Mix, linearised, ratio_point, standardised, standardised_difference
from stats.results import Estimate, Interval, NotComputable, Reason, computable
from stats.summaries import Array, Joint, Mean
from stats.trait_cells import NO_COLUMNS, TraitCells, TraitColumns, trait_cells

type Counts = Array  # arm (control, variant) x bin of the outcome x behaviour (0, 1)

# In a stratum with fewer units in an arm the variance is hardly known; such strata are pooled
# (docs/methods/comparison.md, "Population-weighted difference").
STRATUM_UNITS = 50


@dataclass(frozen=True, eq=False)
class CellPair:
    """Control and one variant on one outcome, as cells.

    Attributes:
        kind: of the outcome.
        names: columns of `means` and `covariance`: value, perhaps denominator, perhaps reached, times and the others.
        n: units per cell that are mature for the outcome.
        means: cells x columns.
        covariance: cells x columns x columns.
        treated: 1.0 variant, 0.0 control, per cell.
        segment: code of each cell's segment.
        segment_labels: their labels; one label means that the plan has no segments.
        x: covariates, cells x p: dummies and numbers, or the one predicted outcome.
        bins: counts by arm, bin of the outcome and behaviour, for a numeric outcome; None where they weren't queried.
        same_split: False when the plan gives segments different shares: arms may then be compared inside segments only.
        segment_units: units of all arms per segment, to whose mix a ratio is standardised; None for those of this pair.
        known_before: segment and covariates of each cell.
        by_lin: the plan registered the comparison adjusted for the covariates.
        other_names: other behaviours; their columns are the last ones.
    """

    kind: Kind
    names: tuple[str, ...]
    n: Array
    means: Array
    covariance: Array
    treated: Array
    segment: np.ndarray
    segment_labels: tuple[str, ...]
    x: Array
    bins: Counts | None = None
    same_split: bool = True
    segment_units: Array | None = None
    known_before: TraitColumns = NO_COLUMNS
    by_lin: bool = False
    other_names: tuple[str, ...] = ()

    @cached_property
    def control(self) -> Mean:
        """Summary of the control arm; standardised over segments for a ratio."""
        return self._level(0)

    @cached_property
    def variant(self) -> Mean:
        """Summary of the variant's arm; standardised over segments for a ratio."""
        return self._level(1)

    @property
    def clustered(self) -> bool:
        """False: units were assigned, not clusters."""
        return False

    @property
    def whole_clusters(self) -> bool:
        """False: there are no clusters."""
        return False

    @property
    def few_clusters(self) -> bool:
        """False: there are no clusters."""
        return False

    @property
    def segments_apart(self) -> bool:
        """True: each unit has one segment."""
        return True

    @property
    def has_behaviour(self) -> bool:
        """True for an encouragement design."""
        return REACHED in self.names

    def difference(self, *, alpha: float) -> Estimate | NotComputable:
        """Variant minus control, pooled over segments; with a behaviour the z of the moments, so that p and set agree.

        A ratio is standardised over segments before dividing: its difference is that of the population levels
        (docs/methods/comparison.md, "Ratio delta method").
        """
        if (lin := self._lin((0,))) is not None:
            return lin_estimate(lin, alpha=alpha) if computable(lin) else lin
        if self.has_behaviour:
            return moments_estimate(self.moments(), alpha)
        if len(self.strata) > 1:
            return with_reason(self.kind, self.pooled(self._parts_of_value, alpha=alpha))
        return with_reason(self.kind, plain_difference(self.kind, self.control, self.variant, alpha=alpha))

    def lift(self, *, alpha: float) -> Interval | NotComputable:
        """Relative lift of (control + pooled difference) over control, so that it ignores the strata's mix."""
        if (lin := self._lin((0,))) is not None:
            return lin_lift(lin, alpha=alpha) if computable(lin) else lin
        difference = self.difference(alpha=0.05)
        if len(self.strata) < 2 or not computable(difference):
            return compare.lift(self.control, self.variant, alpha=alpha)
        control, n = self.control, self.variant.n
        if self.kind is Kind.RATIO:  # the error of the mix is common to both arms and already in the difference
            control = standardised([c for c, _v in self._parts_of_value], self._mix, of_population=False)
        left = max(difference.standard_error**2 - control.variance / max(control.n, 1), 0.0)
        return compare.lift(control, Mean(n, control.mean + difference.estimate, left * n), alpha=alpha)

    def randomisation(self) -> None:
        """None: there are no clusters."""

    def adjusted(self, *, alpha: float) -> adjustment.Adjusted | NotComputable | None:
        """Lin's adjustment for covariates and segments; the registered one, within segments, where there is one."""
        if not self.x.shape[1]:
            return None
        if (lin := self._lin((0,))) is not None:
            return adjustment.adjusted_of(lin, self.unadjusted(alpha=alpha), alpha=alpha) if computable(lin) else lin
        return adjustment.lin(*(self._joint(self.treated == arm, self._x()) for arm in (0, 1)), alpha=alpha)

    def unadjusted(self, *, alpha: float) -> Estimate | NotComputable | None:
        """The difference without the registered adjustment; None where none is registered."""
        return replace(self, by_lin=False).difference(alpha=alpha) if self.by_lin else None

    def by_segment(self) -> Strata | None:
        """Label, control and variant of each segment; a ratio is divided within each. None for a quantile."""
        if len(self.segment_labels) < 2 or self.kind is Kind.QUANTILE:
            return None
        return [
            (self.segment_labels[code], self._alone(0, code), self._alone(1, code))
            for code in np.flatnonzero(self._sizes.sum(axis=0)).tolist()
        ]

    def within(self, labels: Sequence[str], control: Mean, variant: Mean, *, alpha: float) -> Estimate | NotComputable:
        """The test of the whole comparison, inside some segments."""
        if self.has_behaviour:
            return compare.compare_unpooled(control, variant, alpha=alpha)
        return plain_difference(self.kind, control, variant, alpha=alpha)

    def pooled(self, strata: Sequence[tuple[Mean, Mean]], *, alpha: float) -> Estimate | NotComputable:
        """Mantel-Haenszel difference; for a ratio the standardised one, since its segments' ratios don't add up."""
        if self.kind is Kind.RATIO:
            return standardised_difference(self._parts_of_value, self._mix, alpha=alpha)
        return stratified.risk_difference(strata, alpha=alpha)

    def joints(self) -> tuple[Joint, Joint]:
        """Joint summaries of control and variant over (outcome, behaviour, number of times, others)."""
        return self._joint(self.treated == 0), self._joint(self.treated == 1)

    def take_up(self) -> tuple[float, float]:
        """Shares that reached the behaviour, control and variant; over segments weighted as the first stage."""
        if computable(lin := self._lin((0, 1))) and lin is not None:
            return float(lin.levels[0, 1]), float(lin.levels[1, 1])
        if len(self.strata) < 2:
            control, variant = self.joints()
            return float(control.means[1]), float(variant.means[1])
        weights = np.array(self._mix.shares)
        if self.kind is not Kind.RATIO:
            weights = np.array([c.n * v.n / (c.n + v.n) for _label, c, v in self.strata])
        shares = np.array([[c.means[1], v.means[1]] for _label, c, v in self.strata])
        control_share, variant_share = (weights @ shares / weights.sum()).tolist()
        return control_share, variant_share

    def moments(self, *, by_times: bool = False) -> IvMoments | NotComputable:
        """IV moments, pooled over segments; `by_times` uses the number of times instead of the behaviour."""
        found = self._contrast((0, 2) if by_times else (0, 1))
        return found.moments if computable(found) else found

    def others(self) -> OtherMoments | NotComputable | None:
        """What the nudge did to other behaviours, pooled as `moments` are; None where none is measured."""
        columns = (0, 1, *range(3, 3 + len(self.other_names)))
        return others_of(self.other_names, self._contrast(columns)) if self.other_names else None

    def _contrast(self, columns: tuple[int, ...]) -> Contrast | NotComputable:
        """Effects on these columns of (outcome, behaviour, times, others)."""
        if (lin := self._lin(columns)) is not None:
            return lin.contrast if computable(lin) else lin
        if len(self.strata) > 1:
            mix = self._mix if self.kind is Kind.RATIO else None
            return contrast_stratified([(c.take(*columns), v.take(*columns)) for _label, c, v in self.strata], mix)
        control, variant = self.joints()
        return contrast(control.take(*columns), variant.take(*columns))

    def two_stage(self, *, alpha: float) -> Estimate | NotComputable | None:
        """Two-stage least squares with covariates and segments."""
        if not self.x.shape[1]:
            return None
        means, covariance = self._linear
        moments = iv_moments_cells(self.n, means[:, :2], covariance[:, :2, :2], self.treated, self._x())
        if not computable(moments):
            return moments
        effect = wald(moments, alpha=alpha)
        if not computable(effect):
            return effect
        return Estimate(**{**vars(effect), "method": "two-stage-least-squares"})

    def inequalities(self) -> Inequalities | NotComputable:
        """Instrument inequalities from counts: of a share by its two values, of a number by the quintiles queried."""
        if self.bins is not None:
            # Bins aren't queried by segment, so with unequal splits they would compare segments, not arms.
            if not self.same_split:
                return NotComputable(Reason.SPLIT_DIFFERS)
            return inequalities_from_counts(self.bins[0], self.bins[1])
        if self.kind is not Kind.PROPORTION:
            return NotComputable(Reason.NO_DATA)
        if self.same_split:
            return inequalities_from_moments(*self.joints())
        tested = [result for _, c, v in self.strata if computable(result := inequalities_from_moments(c, v))]
        raw = tuple(p for test in tested for p in test.p_values)
        if not raw:
            return NotComputable(Reason.NO_VARIANCE)
        worst = min(tested, key=lambda test: test.p_value).worst
        return Inequalities(min(holm(raw)), worst, raw)

    def trait_cells(self, *, behaviour: bool) -> TraitCells:
        """Cells by segment and covariates."""
        (means, covariance), k = self._linear, 1 + behaviour
        split = None if self.same_split else self.segment
        moments, share = (self.n, means[:, :k], covariance[:, :k, :k]), self.kind is Kind.PROPORTION
        return trait_cells(self.known_before, self.treated, *moments, proportion=share, stratum=split)

    @property
    def levels(self) -> tuple[str, ...]:
        """Labels of segments and covariate levels that hold some of the units but not all."""
        traits = traits_of(self.known_before)
        return tuple(label for label, inside in traits.items() if 0 < self.n[inside].sum() < self.n.sum())

    def inside(self, level: str) -> Self:
        """Units of one level."""
        return self._of(traits_of(self.known_before)[level])

    def outside(self, level: str) -> Self:
        """All other units."""
        return self._of(~traits_of(self.known_before)[level])

    def _of(self, mask: np.ndarray) -> Self:
        return replace(
            self,
            n=self.n[mask],
            means=self.means[mask],
            covariance=self.covariance[mask],
            treated=self.treated[mask],
            segment=self.segment[mask],
            x=self.x[mask],
            bins=None,
            known_before=self.known_before.of(mask),
            segment_units=None,
        )

    @cached_property
    def strata(self) -> list[tuple[str, Joint, Joint]]:
        """Segments with enough units in both arms; the others pooled into one."""
        return [
            (label, self._joint(inside & (self.treated == 0)), self._joint(inside & (self.treated == 1)))
            for label, codes in self._groups
            for inside in [np.isin(self.segment, codes)]
        ]

    @cached_property
    def _groups(self) -> list[tuple[str, list[int]]]:
        """Label and segments of each stratum."""
        return group_segments(self.segment_labels, self._sizes, STRATUM_UNITS)

    @cached_property
    def _sizes(self) -> Array:
        """Units by arm and segment."""
        return np.array(
            [
                np.bincount(self.segment[mask], weights=self.n[mask], minlength=len(self.segment_labels))
                for mask in (self.treated == 0, self.treated == 1)
            ]
        )

    @cached_property
    def _mix(self) -> Mix:
        """Each stratum's share of all units."""
        units = self._sizes.sum(axis=0) if self.segment_units is None else self.segment_units
        return Mix.of([float(units[codes].sum()) for _label, codes in self._groups])

    @property
    def _parts_of_value(self) -> list[tuple[Mean, Mean]]:
        """Control and variant of each stratum, outcome only."""
        return [(control.column(0), variant.column(0)) for _label, control, variant in self.strata]

    def _level(self, arm: int) -> Mean:
        """Summary of the outcome in one arm; a ratio's error includes that of the strata's shares."""
        whole = self._joint(self.treated == arm).column(0)
        if self.kind is not Kind.RATIO or len(self.strata) < 2:
            return whole
        return standardised([pair[arm] for pair in self._parts_of_value], self._mix)

    def _alone(self, arm: int, code: int) -> Mean:
        """Summary of one segment; a ratio is divided within it."""
        mask = (self.segment == code) & (self.treated == arm)
        if self.kind is not Kind.RATIO:
            return self._joint(mask).column(0)
        n, means = self.n[mask], self.means[mask]
        return pool_cells(n, *linearised(means, self.covariance[mask], ratio_point(n, means))).column(0)

    def _joint(self, mask: np.ndarray, x: Array | None = None) -> Joint:
        """Moments of (outcome, behaviour, ...) or (outcome, ..., covariates) over some cells; ratios linearised."""
        means, covariance = self._linear
        pooled = pool_cells(self.n[mask], means[mask], covariance[mask], None if x is None else x[mask])
        return pooled if x is None else pooled.take(0, *range(means.shape[1], len(pooled.means)))

    @cached_property
    def _linear(self) -> tuple[Array, Array]:
        """Means and covariances of the cells in (outcome, behaviour, times, others); a ratio is linearised per arm.

        The arm's value is standardised: mean numerator and denominator over the strata, weighted by their shares of all
        units. All figures are computed from this one column, so that levels, difference, set and weeks agree
        (docs/methods/comparison.md, "Ratio delta method").
        """
        if self.kind is not Kind.RATIO:
            return self.means, self.covariance
        means = np.zeros((len(self.n), len(self.names) - 1))
        covariance = np.zeros((*means.shape, means.shape[1]))
        for arm in (0, 1):
            mask = self.treated == arm
            point = np.zeros(2)
            for share, (_label, codes) in zip(self._mix.shares, self._groups, strict=True):
                rows = mask & np.isin(self.segment, codes)
                point += share * ratio_point(self.n[rows], self.means[rows])
            means[mask], covariance[mask] = linearised(self.means[mask], self.covariance[mask], point)
        return means, covariance

    def _lin(self, columns: tuple[int, ...]) -> LinEffects | NotComputable | None:
        """The registered adjustment of these columns, within strata; None where none is registered."""
        if not self.by_lin or not self.x.shape[1]:
            return None
        mix = self._mix if self.kind is Kind.RATIO else None
        means, covariance = self._linear
        indices = list(columns)
        means, covariance = means[:, indices], covariance[:, indices][:, :, indices]
        strata = []
        for _label, codes in self._groups:
            inside = np.isin(self.segment, codes)
            control, variant = (
                pool_cells(self.n[rows], means[rows], covariance[rows], self.x[rows])
                for rows in (inside & (self.treated == 0), inside & (self.treated == 1))
            )
            strata.append((control, variant))
        return lin_effects_stratified(strata, len(indices), mix)

    def _x(self) -> Array:
        """Dummies of covariates and of segments."""
        segments = (self.segment[:, None] == np.arange(1, len(self.segment_labels))).astype(np.float64)
        return np.column_stack([self.x, segments])


# All outcomes of a stored experiment, as pairs of arms in cells. Pure.


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
        mature, mask = self._mature(outcome, week), self.kept(outcome, code, against, week)
        # Over all arms, so that control has the same level beside every variant.
        units = np.bincount(cells.segment[mature], weights=block.n[mature], minlength=len(cells.segments))
        return CellPair(
            kind=self.outcomes[outcome],
            names=block.names,
            n=block.n[mask].astype(np.float64),
            means=block.means[mask],
            covariance=block.covariance[mask],
            treated=self.nudged(code)[mask].astype(np.float64),
            segment=cells.segment[mask],
            segment_labels=cells.segments,
            x=self._columns[mask],
            by_lin=self.adjustment != UNADJUSTED and self.outcomes[outcome] is not Kind.QUANTILE,
            bins=self._counts(outcome, code, against),
            same_split=self.same_split,
            segment_units=units,
            known_before=self._known_before.of(mask),
            other_names=cells.others if REACHED in block.names else (),
        )

    def nudged(self, code: int) -> np.ndarray:
        """Mask of the cells with units of one variant."""
        return np.asarray(self.cells.variant == code)

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
