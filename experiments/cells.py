"""A stored experiment's moments as comparisons: the same questions as a file's rows, asked of the warehouse's cells.

Segments are strata: a plan may give each its own coverage and weights, so arms are compared inside them and pooled.
Every covariate is constant within a cell, so that nothing but moments is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import sqrt
from typing import Self

import numpy as np
from scipy import stats

from events.reasons import NotComputable, Reason, computable
from experiments.answers import DENOMINATOR, REACHED, Cells
from experiments.design import Kind, kind_of
from experiments.pair import Strata, plain_difference
from experiments.report import ArmValue
from experiments.stats import adjust, compare, stratified
from experiments.stats.cells import iv_moments_cells, iv_moments_stratified, pool_cells
from experiments.stats.encouragement import wald
from experiments.stats.instruments import IvMoments, iv_moments
from experiments.stats.multiplicity import holm
from experiments.stats.results import Estimate, Interval
from experiments.stats.summaries import Array, Joint, Mean
from experiments.stats.validity import Inequalities, inequalities_from_counts, inequalities_from_moments

type Counts = Array  # arm (control, variant) x bin of the outcome x behaviour (0, 1)

# A stratum with fewer units in an arm has hardly a variance of its own; such strata are pooled (METHODS 4.6).
STRATUM_UNITS = 50
# Beyond this, no further levels are searched for a group that the nudge can't move.
MOST_LEVELS = 20
MISSING = "–"


@dataclass(frozen=True, eq=False)
class CellPair:
    """Control and one variant on one outcome, as cells.

    Attributes:
        kind: of the outcome.
        names: columns of `means` and `covariance`: value, perhaps denominator, perhaps reached and times.
        n: units per cell that are mature for the outcome.
        means: cells x columns.
        covariance: cells x columns x columns.
        treated: 1.0 variant, 0.0 control, per cell.
        segment: code of each cell's segment.
        segment_labels: their labels; one label means that the plan has no segments.
        x: dummies of the covariates, cells x p.
        bins: counts by arm, bin of the outcome and behaviour, for a numeric outcome; None where it was not asked.
        same_split: False when the plan gives segments different shares: arms may then be compared inside segments only.
        traits: label of each segment and covariate level, with the cells that belong to it.
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
    traits: Mapping[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def control(self) -> Mean:
        """Summary of the control arm."""
        return self._joint(self.treated == 0).column(0)

    @cached_property
    def variant(self) -> Mean:
        """Summary of the variant's arm."""
        return self._joint(self.treated == 1).column(0)

    @property
    def clustered(self) -> bool:
        """A stored experiment assigns units."""
        return False

    @property
    def few_clusters(self) -> bool:
        """There are no clusters."""
        return False

    @property
    def segments_apart(self) -> bool:
        """Each unit has one segment."""
        return True

    @property
    def has_behaviour(self) -> bool:
        """True for an encouragement design."""
        return REACHED in self.names

    def difference(self, *, alpha: float) -> Estimate | NotComputable:
        """Pooled over segments; with a behaviour the z of the moments, so that p and set agree."""
        if self.has_behaviour:
            return self._normal(self.moments(), alpha)
        if len(self.strata) > 1:
            return self.pooled([(c.column(0), v.column(0)) for _label, c, v in self.strata], alpha=alpha)
        return plain_difference(self.kind, self.control, self.variant, alpha=alpha)

    def lift_arms(self) -> tuple[Mean, Mean]:
        """Control, and the variant as far above it as the difference says: strata must not show in the lift."""
        found = self.difference(alpha=0.05)
        if len(self.strata) < 2 or not computable(found):
            return self.control, self.variant
        control, n = self.control, self.variant.n
        left = max(found.standard_error**2 - control.variance / max(control.n, 1), 0.0)
        return control, Mean(n, control.mean + found.estimate, left * n)

    def adjusted(self, *, alpha: float) -> adjust.Adjusted | NotComputable | None:
        """Lin's adjustment for covariates and segments."""
        if not self.x.shape[1]:
            return None
        return adjust.lin(*(self._joint(self.treated == arm, self._x()) for arm in (0, 1)), alpha=alpha)

    def by_segment(self) -> Strata | None:
        """Label, control, variant of each segment."""
        if len(self.segment_labels) < 2:
            return None
        return [(label, control.column(0), variant.column(0)) for label, control, variant in self._segments()]

    def within(self, labels: Sequence[str], control: Mean, variant: Mean, *, alpha: float) -> Estimate | NotComputable:
        """The same test inside some segments."""
        if self.has_behaviour:
            return compare.compare_unpooled(control, variant, alpha=alpha)
        return plain_difference(self.kind, control, variant, alpha=alpha)

    def pooled(self, strata: Sequence[tuple[Mean, Mean]], *, alpha: float) -> Estimate | NotComputable:
        """Mantel-Haenszel difference."""
        return stratified.risk_difference(strata, alpha=alpha)

    def joints(self) -> tuple[Joint, Joint]:
        """Over (outcome, behaviour, number of times)."""
        return self._joint(self.treated == 0), self._joint(self.treated == 1)

    def take_up(self) -> tuple[float, float]:
        """Shares that reached the behaviour, over segments with the weights of the first stage."""
        if len(self.strata) < 2:
            control, variant = self.joints()
            return float(control.means[1]), float(variant.means[1])
        weights = np.array([c.n * v.n / (c.n + v.n) for _label, c, v in self.strata])
        shares = np.array([[c.means[1], v.means[1]] for _label, c, v in self.strata])
        control_share, variant_share = (weights @ shares / weights.sum()).tolist()
        return control_share, variant_share

    def moments(self, *, by_times: bool = False) -> IvMoments | NotComputable:
        """Pooled over the segments; `by_times` puts the number of times in the place of the behaviour."""
        columns = (0, 2) if by_times else (0, 1)
        if len(self.strata) > 1:
            return iv_moments_stratified([(c.take(*columns), v.take(*columns)) for _label, c, v in self.strata])
        control, variant = self.joints()
        return iv_moments(control.take(*columns), variant.take(*columns))

    def two_stage(self, *, alpha: float) -> Estimate | NotComputable | None:
        """Two-stage least squares with covariates and segments."""
        if not self.x.shape[1]:
            return None
        columns = self._linear()
        found = iv_moments_cells(
            self.n, self.means @ columns.T, columns @ self.covariance @ columns.T, self.treated, self._x()
        )
        if not computable(found):
            return found
        effect = wald(found, alpha=alpha)
        if not computable(effect):
            return effect
        return Estimate(**{**vars(effect), "method": "two-stage-least-squares"})

    def inequalities(self) -> Inequalities | NotComputable:
        """From counts: of a share by its two values, of a number by the quintiles that were asked for."""
        if self.bins is not None:
            # Bins aren't asked by segment, so with unequal splits they would compare segments, not arms.
            if not self.same_split:
                return NotComputable(Reason.SPLIT_DIFFERS)
            return inequalities_from_counts(self.bins[0], self.bins[1])
        if self.kind is not Kind.PROPORTION:
            return NotComputable(Reason.NO_DATA)
        if self.same_split:
            return inequalities_from_moments(*self.joints())
        tested = [found for _, c, v in self.strata if computable(found := inequalities_from_moments(c, v))]
        raw = tuple(p for found in tested for p in found.p_values)
        if not raw:
            return NotComputable(Reason.NO_VARIANCE)
        worst = min(tested, key=lambda found: found.p_value).worst
        return Inequalities(min(holm(raw)), worst, raw)

    @property
    def levels(self) -> tuple[str, ...]:
        """Segments and levels of covariates that have units, and leave some."""
        return tuple(label for label, inside in self.traits.items() if 0 < self.n[inside].sum() < self.n.sum())

    def inside(self, level: str) -> Self:
        """Units of one level."""
        return self._of(self.traits[level])

    def outside(self, level: str) -> Self:
        """All other units."""
        return self._of(~self.traits[level])

    def _of(self, kept: np.ndarray) -> Self:
        return replace(
            self, n=self.n[kept], means=self.means[kept], covariance=self.covariance[kept], treated=self.treated[kept],
            segment=self.segment[kept], x=self.x[kept], bins=None, traits={},
        )  # fmt: skip

    @cached_property
    def strata(self) -> list[tuple[str, Joint, Joint]]:
        """Segments with enough units in both arms; the others pooled as one."""
        large: list[tuple[str, Joint, Joint]] = []
        small: list[tuple[str, Joint, Joint]] = []
        for row in self._segments():
            (large if min(row[1].n, row[2].n) >= STRATUM_UNITS else small).append(row)
        if not small:
            return large
        _label, control, variant = small[0]
        for _label, c, v in small[1:]:
            control, variant = control + c, variant + v
        if min(control.n, variant.n) >= 2:
            return [*large, ("other", control, variant)]
        if not large:
            return [("", control, variant)]
        # Too few to stand alone: they join the largest segment, so that nobody is left out.
        largest = max(range(len(large)), key=lambda place: large[place][1].n + large[place][2].n)
        label, c, v = large[largest]
        return [*large[:largest], (label, c + control, v + variant), *large[largest + 1 :]]

    def _segments(self) -> list[tuple[str, Joint, Joint]]:
        found = []
        for code, label in enumerate(self.segment_labels):
            arms = [self._joint((self.segment == code) & (self.treated == arm)) for arm in (0, 1)]
            if arms[0].n + arms[1].n:
                found.append((label, arms[0], arms[1]))
        return found

    def _joint(self, kept: np.ndarray, x: Array | None = None) -> Joint:
        """Moments of (outcome, behaviour, times) or (outcome, covariates) of some cells; a ratio is linearised."""
        pooled = pool_cells(self.n[kept], self.means[kept], self.covariance[kept], None if x is None else x[kept])
        columns = self._linear(pooled)
        if x is not None:
            wide = np.zeros((1 + x.shape[1], len(pooled.means)))
            wide[0, : len(self.names)] = columns[0]
            wide[1:, len(self.names) :] = np.eye(x.shape[1])
            columns = wide
        means = columns @ pooled.means
        if self.kind is Kind.RATIO and pooled.means[1] != 0:
            means[0] = pooled.means[0] / pooled.means[1]
        return Joint(pooled.n, means, columns @ pooled.covariance @ columns.T)

    def _linear(self, pooled: Joint | None = None) -> Array:
        """Rows that make (outcome, behaviour, times) of the stored columns.

        A ratio's influence is (M - r K) / mean(K), the delta method (METHODS 4.3).
        """
        k = len(self.names)
        kept = [place for place, name in enumerate(self.names) if name != DENOMINATOR]
        columns = np.eye(k)[kept]
        if self.kind is Kind.RATIO:
            arm = pool_cells(self.n, self.means, self.covariance) if pooled is None else pooled
            below = float(arm.means[1])
            if below != 0:
                columns[0, :2] = (1 / below, -float(arm.means[0]) / below**2)
        return columns

    def _x(self) -> Array:
        """Dummies of covariates and of segments."""
        segments = (self.segment[:, None] == np.arange(1, len(self.segment_labels))).astype(np.float64)
        return np.column_stack([self.x, segments])

    def _normal(self, found: IvMoments | NotComputable, alpha: float) -> Estimate | NotComputable:
        if not computable(found):
            return found
        if found.v_r <= 0:
            return NotComputable(Reason.NO_VARIANCE)
        error = sqrt(found.v_r)
        half = error * found.critical_value(alpha)
        p_value = found.tail(found.itt / error)
        return Estimate(found.itt, error, found.itt - half, found.itt + half, p_value, 1 - alpha, "unpooled-z")


@dataclass(frozen=True, eq=False)
class CellData:
    """All outcomes of a stored experiment.

    Attributes:
        cells: what the warehouse answered.
        order: outcome texts in the order of the plan.
        bins: of a numeric outcome, rows of (variant, bin, reached, units).
        same_split: False when the plan gives segments different shares.
    """

    cells: Cells
    order: tuple[str, ...]
    bins: Mapping[str, tuple[tuple[str, int, int, int], ...]]
    same_split: bool = True

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

    def pair(self, outcome: str, code: int, *, week: int | None = None) -> CellPair:
        """The cells of control and of one variant that have mature units; of all weeks of enrolment, or of one."""
        cells, block = self.cells, self.cells.blocks[outcome]
        kept = ((cells.variant == 0) | (cells.variant == code)) & (block.n > 0)
        if week is not None:
            kept &= cells.week == week
        return CellPair(
            kind=self.outcomes[outcome],
            names=block.names,
            n=block.n[kept].astype(np.float64),
            means=block.means[kept],
            covariance=block.covariance[kept],
            treated=(cells.variant[kept] == code).astype(np.float64),
            segment=cells.segment[kept],
            segment_labels=cells.segments,
            x=self._dummies[kept],
            bins=self._counts(outcome, code),
            same_split=self.same_split,
            traits={label: inside[kept] for label, inside in self.traits.items()},
        )

    @cached_property
    def traits(self) -> Mapping[str, np.ndarray]:
        """Cells of each segment and of each level of each covariate, by its label."""
        cells = self.cells
        found = {
            f"{name}={level or MISSING}": cells.covariate[:, place] == number
            for place, name in enumerate(cells.covariates)
            for number, level in enumerate(cells.levels[place])
        }
        if len(cells.segments) > 1:
            found = {label or MISSING: cells.segment == number for number, label in enumerate(cells.segments)} | found
        return dict(list(found.items())[:MOST_LEVELS])

    @cached_property
    def _dummies(self) -> Array:
        """One column for each level of each covariate but the first."""
        columns = [
            (self.cells.covariate[:, place] == level).astype(np.float64)
            for place, levels in enumerate(self.cells.levels)
            for level in range(1, len(levels))
        ]
        return np.column_stack(columns) if columns else np.empty((len(self.cells.variant), 0))

    def _counts(self, outcome: str, code: int) -> Counts | None:
        rows = self.bins.get(outcome)
        if not rows:
            return None
        counts = np.zeros((2, 1 + max(row[1] for row in rows), 2))
        arms = {self.labels[0]: 0, self.labels[code]: 1}
        for variant, place, reached, units in rows:
            if variant in arms:
                counts[arms[variant], place, reached] += units
        return counts


def level_of(kind: Kind, arm: Mean, *, alpha: float) -> ArmValue:
    """Level of an outcome in one arm, from its summary."""
    missing = NotComputable(Reason.NO_DATA if arm.n == 0 else Reason.TOO_FEW_UNITS)
    if arm.n < 2:
        return ArmValue(arm.n, arm.mean if arm.n else missing, missing, missing)
    interval: Interval | NotComputable
    if kind is Kind.PROPORTION:
        interval = compare.wilson(arm.successes, arm.n, alpha=alpha)
    else:
        half = float(stats.t.isf(alpha / 2, arm.n - 1)) * arm.standard_error
        interval = Interval(arm.mean, arm.mean - half, arm.mean + half, 1 - alpha, "mean-interval")
    return ArmValue(arm.n, arm.mean, arm.standard_error, interval)
