"""The interface of a comparison, whether over a file's rows or over a warehouse's moments. Pure."""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from scipy import stats

from experiments.analyse.effects import ArmValue
from experiments.plan.design import Kind
from stats import compare
from stats.adjustment import Adjusted
from stats.clusters import Randomisation
from stats.instrument.validity import Inequalities
from stats.iv_moments import IvMoments
from stats.results import Estimate, Interval, NotComputable, Reason
from stats.summaries import Joint, Mean
from stats.trait_cells import TraitCells

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


def with_reason[T](kind: Kind, found: T | NotComputable) -> T | NotComputable:
    """Replace "no variance" of a quantile by "no density": its error is unknown although values differ."""
    if kind is Kind.QUANTILE and isinstance(found, NotComputable) and found.reason is Reason.NO_VARIANCE:
        return NotComputable(Reason.NO_DENSITY)
    return found


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
