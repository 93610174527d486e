"""What one comparison can be asked, its levels, and what each nudge is compared with. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Protocol, Self

import numpy as np
from scipy import stats

from experiments.analyse.effects import ArmValue
from experiments.analyse.gather.answers import Cells
from experiments.analyse.result import FirstStage
from experiments.plan.design import Design, Kind
from stats import compare
from stats.adjustment import Adjusted
from stats.clusters import Randomisation
from stats.instrument.encouragement import effect_on_behaviour
from stats.instrument.other_behaviours import OtherMoments
from stats.instrument.placebo import Equivalence, leaves_alone
from stats.instrument.validity import Inequalities
from stats.iv_moments import Contrast, IvMoments
from stats.results import Estimate, Interval, NotComputable, Reason, computable
from stats.summaries import Joint, Mean
from stats.trait_cells import SEGMENT, TraitCells, TraitColumns

# The interface of a comparison, whether over a file's rows or over a warehouse's moments. Pure.

# Effective clusters; with fewer, a few clusters decide the outcome.
FEW_CLUSTERS = 20

type Strata = list[tuple[str, Mean, Mean]]


class Pair(Protocol):
    """Control or placebo, and one variant, on one outcome: `file_rows.RowPair` and `warehouse_cells.CellPair`.

    This interface lets one engine serve files and stored experiments, so that both get the same verdicts.
    """

    @property
    def kind(self) -> Kind:
        """How the outcome is summarised."""

    @property
    def control(self) -> Mean:
        """Units of the control with a value."""

    @property
    def variant(self) -> Mean:
        """Units of the variant with a value."""

    @property
    def clustered(self) -> bool:
        """True when groups were assigned, not units."""

    @property
    def whole_clusters(self) -> bool:
        """True when each group has one arm: effects then include friends' acts, not only one's own behaviour."""

    @property
    def few_clusters(self) -> bool:
        """True when an arm has too few groups for any verdict."""

    @property
    def segments_apart(self) -> bool:
        """False when a group reaches into several segments, so that segment effects are correlated."""

    @property
    def has_behaviour(self) -> bool:
        """True for an encouragement design."""

    def difference(self, *, alpha: float) -> Estimate | NotComputable:
        """The primary test: intention to treat, variant minus control."""

    def lift(self, *, alpha: float) -> Interval | NotComputable:
        """Relative lift, with the errors and the distribution of the difference."""

    def randomisation(self) -> Randomisation | NotComputable | None:
        """Randomisation test over the groups' assignments; None where units or many groups were assigned."""

    def adjusted(self, *, alpha: float) -> Adjusted | NotComputable | None:
        """The difference adjusted for covariates; None without any. The primary test itself where it is registered."""

    def unadjusted(self, *, alpha: float) -> Estimate | NotComputable | None:
        """The difference without covariates, where the adjusted one is the primary test; None otherwise."""

    def by_segment(self) -> Strata | None:
        """Label, control, variant for each segment; None when the plan has no segments."""

    def within(self, labels: Sequence[str], control: Mean, variant: Mean, *, alpha: float) -> Estimate | NotComputable:
        """The primary test inside some segments, given their pooled summaries."""

    def pooled(self, strata: Sequence[tuple[Mean, Mean]], *, alpha: float) -> Estimate | NotComputable:
        """The difference pooled over segments (Mantel-Haenszel weights)."""

    def joints(self) -> tuple[Joint, Joint]:
        """Control and variant over (outcome, behaviour), of units whose behaviour is known."""

    def take_up(self) -> tuple[float, float]:
        """Share of control and of the variant that reached the behaviour; their difference is the first stage."""

    def moments(self) -> IvMoments | NotComputable:
        """The five moments of the encouragement analysis."""

    def others(self) -> OtherMoments | NotComputable | None:
        """What the nudge did to other behaviours, in the same contrast as `moments`; None where none is measured."""

    def two_stage(self, *, alpha: float) -> Estimate | NotComputable | None:
        """Effect of the behaviour with covariates; None without any."""

    def inequalities(self) -> Inequalities | NotComputable:
        """The testable implications of "only through the behaviour"."""

    def trait_cells(self, *, behaviour: bool) -> TraitCells | NotComputable:
        """Cells of the units by traits known before: outcome, with `behaviour` also the behaviour where it is known."""

    @property
    def same_split(self) -> bool:
        """False when the plan gives segments different shares, so that whole arms differ in their mix of segments."""

    @property
    def levels(self) -> tuple[str, ...]:
        """Segments and levels of covariates, known before the assignment, that share no cluster with other units."""

    def inside(self, level: str) -> Self:
        """The units of one of these levels."""

    def outside(self, level: str) -> Self:
        """All other units."""


class Data(Protocol):
    """All outcomes of one experiment: `file_rows.RowData` and `warehouse_data.CellData`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Variants, control first."""

    @property
    def outcomes(self) -> Mapping[str, Kind]:
        """Outcomes in the order of the plan, the primary one first."""

    def level(self, outcome: str, code: int, *, alpha: float) -> ArmValue:
        """Level of an outcome in one arm."""

    def pair(self, outcome: str, code: int, *, against: int = 0) -> Pair:
        """The variant with this code and its comparator: control, or the arm `against`."""


def plain_difference(kind: Kind, control: Mean, variant: Mean, *, alpha: float) -> Estimate | NotComputable:
    """Difference of independent units, variant minus control: score test for shares, Welch for means.

    A ratio's summary is linearised; its errors need many units, and the test is a normal one.
    """
    if kind is Kind.PROPORTION:
        return compare.compare_proportions(control, variant, alpha=alpha)
    if kind is Kind.RATIO:
        return compare.compare_unpooled(control, variant, alpha=alpha)
    return compare.compare_means(control, variant, alpha=alpha)


def others_of(names: tuple[str, ...], found: Contrast | NotComputable) -> OtherMoments | NotComputable:
    """The part of a contrast of (outcome, behaviour, others...) that is about the others."""
    if not computable(found):
        return found
    effects, errors = found.effects, found.errors
    return OtherMoments(names, effects[2:], errors[2:, 2:], errors[0, 2:], errors[1, 2:])


def with_reason[T](kind: Kind, value: T | NotComputable) -> T | NotComputable:
    """Replace "no variance" of a quantile by "no density": its error is unknown although values differ."""
    if kind is Kind.QUANTILE and isinstance(value, NotComputable) and value.reason is Reason.NO_VARIANCE:
        return NotComputable(Reason.NO_DENSITY)
    return value


def level_of(kind: Kind, arm: Mean, *, alpha: float) -> ArmValue:
    """Level of an outcome in one arm, from its summary."""
    missing = NotComputable(Reason.NO_DATA if arm.n == 0 else Reason.TOO_FEW_UNITS)
    if arm.n < 2:
        return ArmValue(arm.n, arm.mean if arm.n else missing, missing, missing)
    if kind is Kind.QUANTILE and arm.variance == 0:
        unknown = NotComputable(Reason.NO_DENSITY)
        return ArmValue(arm.n, arm.mean, unknown, unknown)
    interval: Interval | NotComputable
    if kind is Kind.PROPORTION:
        interval = compare.wilson(arm.successes, arm.n, alpha=alpha)
    else:
        half = float(stats.t.isf(alpha / 2, arm.n - 1)) * arm.standard_error
        interval = Interval(arm.mean, arm.mean - half, arm.mean + half, 1 - alpha, "mean-interval")
    return ArmValue(arm.n, arm.mean, arm.standard_error, interval)


# Map cells to segments and covariate levels, and compute the test from IV moments. Pure.

# At most this many levels are searched for a group that the nudge can't move.
MOST_LEVELS = 20
MISSING = "–"


def columns_of(cells: Cells) -> TraitColumns:
    """Segment and covariates of the cells; all are known before the assignment."""
    codes = np.column_stack([cells.segment, cells.covariate]).astype(np.int64)
    columns = TraitColumns((SEGMENT, *cells.covariates), (cells.segments, *cells.levels), codes)
    return columns if len(cells.segments) > 1 else TraitColumns(cells.covariates, cells.levels, codes[:, 1:])


def traits_of(columns: TraitColumns) -> Mapping[str, np.ndarray]:
    """Cells of each segment and of each level of each covariate, by its label."""
    cells = {
        (label or MISSING) if name == SEGMENT else f"{name}={label or MISSING}": columns.codes[:, place] == code
        for place, name in enumerate(columns.traits)
        for code, label in enumerate(columns.levels[place])
    }
    return dict(list(cells.items())[:MOST_LEVELS])


def moments_estimate(
    moments: IvMoments | NotComputable, alpha: float, method: str = "unpooled-z"
) -> Estimate | NotComputable:
    """The nudge's effect on the outcome from the moments, by the test that the Anderson-Rubin set inverts."""
    if not computable(moments):
        return moments
    if moments.v_r <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    error = sqrt(moments.v_r)
    half = error * moments.critical_value(alpha)
    p_value = moments.tail(moments.itt / error)
    return Estimate(moments.itt, error, moments.itt - half, moments.itt + half, p_value, 1 - alpha, method)


# What each nudge is compared with: the placebo where the design has one, control otherwise. Pure.
#
# A placebo of equal salience removes the direct effect of being nudged, which no check against control can detect. It
# stays the comparator even where it moves the behaviour: as long as both nudges have the same direct effect, ITT - b
# FS has mean 0 at the true effect b with the net first stage as FS, so that a weak first stage shows in the set.
# Whether the placebo leaves the behaviour alone only decides who the compliers are. Source: Angrist, Imbens and Rubin
# 1996.

MOVES_BEHAVIOUR = "placebo_moves_behaviour"

type Stages = Mapping[str, Estimate | NotComputable]


@dataclass(frozen=True)
class Comparator:
    """What one nudge arm is compared with.

    Attributes:
        code: index of the arm among the variants, 0 for control.
        label: its name.
        equivalence: test that it leaves the behaviour alone; None where it is control.
    """

    code: int
    label: str
    equivalence: Equivalence | NotComputable | None = None

    @property
    def reason(self) -> str | None:
        """`placebo_moves_behaviour` for a placebo that isn't shown to leave the behaviour alone; None otherwise."""
        tested = self.equivalence
        return MOVES_BEHAVIOUR if tested is not None and computable(tested) and not tested.shown else None


def comparators(
    design: Design, labels: tuple[str, ...], stages: Stages, planned: float | None
) -> dict[str, Comparator]:
    """The comparator of every arm but control; the placebo itself is compared with control.

    Args:
        design: names the placebo and the behaviour; without a behaviour everything is compared with control.
        labels: variants, control first.
        stages: first stage of each arm against control with the interval at level 1 - 2 alpha.
        planned: registered take-up, share of units; None where none was planned.
    """
    control, placebo = Comparator(0, labels[0]), design.placebo
    if placebo is None or design.behaviour is None or placebo not in labels:
        return dict.fromkeys(labels[1:], control)
    by_label = {placebo: control}
    for label in labels[1:]:
        if label != placebo:
            nudge = stages[label]
            tested = leaves_alone(
                stages[placebo], planned=planned, nudge=nudge.estimate if computable(nudge) else nudge
            )
            by_label[label] = Comparator(labels.index(placebo), placebo, tested)
    return by_label


def stages_of(design: Design, data: Data) -> Stages:
    """First stages of a file, over units with a first outcome and a known behaviour."""
    if design.behaviour is None or design.placebo is None:
        return {}
    first = next(iter(data.outcomes))
    return {
        label: effect_on_behaviour(data.pair(first, code).moments(), alpha=min(2 * design.alpha, 0.999))
        for code, label in enumerate(data.labels)
        if code
    }


def stages_known(stages: tuple[FirstStage, ...], alpha: float) -> Stages:
    """First stage of each arm with its interval at level 1 - 2 alpha, over all units whose behaviour window is over."""
    return {row.variant: _stage(row, alpha) for row in stages}


def _stage(row: FirstStage, alpha: float) -> Estimate | NotComputable:
    moved = row.take_up
    if not computable(moved):
        return moved
    error = moved.standard_error
    if error <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    half = float(stats.norm.isf(min(alpha, 0.499))) * error
    p_value = 2 * float(stats.norm.sf(abs(moved.difference) / error))
    low, high = moved.difference - half, moved.difference + half
    return Estimate(moved.difference, error, low, high, p_value, 1 - 2 * alpha, "first-stage")
