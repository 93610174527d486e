"""Records of what is analysed: the design of an experiment and its cleaned units. Pure; shared by all later steps."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from events.metrics import Active, Funnel, MinDays, MinEvents, Quantile, Ratio, parse_metric
from stats.trait_cells import NO_COLUMNS, TraitColumns

type Floats = NDArray[np.float64]
type Codes = NDArray[np.int64]


class Kind(StrEnum):
    """How an outcome is summarised: a share of units, a mean per unit, a ratio of two sums over units, a quantile."""

    PROPORTION = "proportion"
    MEAN = "mean"
    RATIO = "ratio"
    QUANTILE = "quantile"


def kind_of(metric: str) -> Kind:
    """How a metric is summarised: retention and funnels are shares of units."""
    definition = parse_metric(metric)
    if isinstance(definition, Ratio):
        return Kind.RATIO
    if isinstance(definition, Quantile):
        return Kind.QUANTILE
    return Kind.PROPORTION if isinstance(definition, Active | MinDays | MinEvents | Funnel) else Kind.MEAN


@dataclass(frozen=True)
class Covariate:
    """A column known before assignment; a category becomes one dummy column per value but the first."""

    name: str
    category: bool = False


# Origin of the limits of another behaviour's effect in a file: the gap in its control group.
OF_CONTROL = "control"


@dataclass(frozen=True)
class Other:
    """Another behaviour that the nudge may move, and how large its effect may be.

    Attributes:
        name: column of the file, or behaviour text of the plan.
        low: smallest effect that it may have on the first outcome of those who do it, at most 0; None until the gap in
            a file's control group is known. Like `high`, in the outcome's unit.
        high: largest; at least 0.
        origin: of these limits: one of `experiments.plan.fields.Origin`, or `OF_CONTROL`.
        consequence: why the behaviour under test leads to it, so that it is part of how that works; "" otherwise.
        times: it counts as done from this many times on.
    """

    name: str
    low: float | None = None
    high: float | None = None
    origin: str = OF_CONTROL
    consequence: str = ""
    times: int = 1

    @property
    def box(self) -> tuple[float, float]:
        """The limits.

        Raises:
            ValueError: while they aren't known.
        """
        if self.low is None or self.high is None:
            raise ValueError(f"the largest effect of {self.name} isn't known")
        return self.low, self.high

    @property
    def largest(self) -> float:
        """The limit farther from 0, with its sign."""
        return max(self.box, key=abs)


@dataclass(frozen=True)
class Design:
    """The choices that are fixed before the outcome is read.

    Attributes:
        variant: column that holds the assigned variant.
        control: label of the control variant.
        outcomes: outcome columns, the primary one first.
        unit: column of the unit id; None when each row is one unit.
        segment: column to stratify by, known before assignment.
        behaviour: 0/1 column, "reached the AHA moment": makes it an encouragement analysis.
        covariates: columns known before assignment.
        cluster: column of the group that was assigned as a whole.
        shares: planned share per label, summing to 1; None means an equal split.
        alpha: two-sided false alarm rate, 0 to 1.
        margin: smallest effect of interest, absolute, in the outcome's unit; None when it wasn't fixed.
        placebo: label of an arm with a nudge of equal salience towards something inert: with a behaviour, the other
            arms are compared with it, so that the direct effect of being nudged cancels.
        doses: labels of arms that nudge to another number of times than the behaviour's.
        direct_effect: assumed range of the direct effect of being nudged, in the first outcome's unit; None when none
            was registered.
        nudge_cost: of nudging one unit, in the first outcome's unit; a rule for whom to nudge must gain more.
        adjusted: True when the comparison adjusted for covariates is the primary one, with the plain one beside it.
        others: other behaviours that the nudge may move; measured with the behaviour.
        stored: the units come from a stored experiment's exposures, not from the rows of a file.
    """

    variant: str
    control: str
    outcomes: tuple[str, ...]
    unit: str | None = None
    segment: str | None = None
    behaviour: str | None = None
    covariates: tuple[Covariate, ...] = ()
    cluster: str | None = None
    shares: Mapping[str, float] | None = None
    alpha: float = 0.05
    margin: float | None = None
    placebo: str | None = None
    doses: tuple[str, ...] = ()
    stored: bool = False
    direct_effect: tuple[float, float] | None = None
    nudge_cost: float = 0.0
    adjusted: bool = False
    others: tuple[Other, ...] = ()

    @property
    def level(self) -> float:
        """Confidence level of the intervals, for example 0.95."""
        return 1 - self.alpha

    def may_lead(self, variants: Iterable[str]) -> tuple[str, ...]:
        """Those of these variants, control not among them, that the report's verdict may rest on.

        A placebo is only a comparator; a dose arm leads only where no arm nudges to the behaviour itself.
        """
        nudges = tuple(label for label in variants if label != self.placebo)
        return tuple(label for label in nudges if label not in self.doses) or nudges


@dataclass(frozen=True)
class Outcome:
    """One outcome of every unit; missing values are NaN here and are never passed on as numbers."""

    name: str
    kind: Kind
    values: Floats


@dataclass(frozen=True)
class GroupHint:
    """A column whose rows always share their variant, which suggests that groups were assigned, not rows."""

    column: str
    groups: int
    rows: int


@dataclass(frozen=True)
class Units:
    """The cleaned units, one entry each, and counts of what was left out.

    Attributes:
        labels: variant labels, control first.
        arm: index into ``labels`` per unit.
        outcomes: the outcomes in the order of the design.
        rows: rows read from the source.
        excluded: number of rows left out per reason code.
        several_variants: number of units in more than one variant (left out).
        segment: index into ``segment_labels`` per unit.
        behaviour: 0, 1 or NaN per unit.
        covariates: (n, p) matrix without missing values (mean-filled, with missing-value columns).
        cluster: group index per unit.
        other_names: other behaviours.
        others: 0 or 1 for each unit and each of them, (n, others); None without any.
        missing: per column, the number of kept units without a value in each arm, in the order of ``labels``.
        group_hint: see :class:`GroupHint`.
        known_before: segment and covariates as levels, numbers cut at their quartiles; for finding whom the nudge
            helps.
    """

    labels: tuple[str, ...]
    arm: Codes
    outcomes: tuple[Outcome, ...]
    rows: int
    excluded: Mapping[str, int] = field(default_factory=dict)
    several_variants: int = 0
    segment: Codes | None = None
    segment_labels: tuple[str, ...] = ()
    behaviour: Floats | None = None
    covariates: Floats | None = None
    covariate_names: tuple[str, ...] = ()
    cluster: Codes | None = None
    missing: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    group_hint: GroupHint | None = None
    known_before: TraitColumns = NO_COLUMNS
    other_names: tuple[str, ...] = ()
    others: Floats | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Kept units per variant label."""
        sizes = np.bincount(self.arm, minlength=len(self.labels))
        return {label: int(n) for label, n in zip(self.labels, sizes, strict=True)}
