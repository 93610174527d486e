"""Control and one variant on one outcome: their units, and the test of the nudge's effect. Pure."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from events.reasons import NotComputable
from experiments.design import Codes, Floats, Kind, Outcome, Units
from experiments.stats import adjust, compare
from experiments.stats.results import Estimate
from experiments.stats.summaries import Joint, Mean


@dataclass(frozen=True)
class Pair:
    """The units of control and one variant that have a value, in one outcome."""

    kind: Kind
    values: Floats
    treated: NDArray[np.bool_]
    segment: Codes | None
    segment_labels: tuple[str, ...]
    behaviour: Floats | None
    covariates: Floats | None
    cluster: Codes | None

    @property
    def with_behaviour(self) -> Self:
        """The units whose behaviour is known: only they can tell what the behaviour does."""
        if self.behaviour is None:
            raise ValueError("an encouragement analysis needs a behaviour")
        known = ~np.isnan(self.behaviour)
        if known.all():
            return self
        return replace(
            self,
            values=self.values[known],
            treated=self.treated[known],
            segment=None if self.segment is None else self.segment[known],
            behaviour=self.behaviour[known],
            covariates=None if self.covariates is None else self.covariates[known],
            cluster=None if self.cluster is None else np.unique(self.cluster[known], return_inverse=True)[1],
        )

    @property
    def control(self) -> Mean:
        """Summary of the control arm."""
        return Mean.from_values(self.values[~self.treated])

    @property
    def variant(self) -> Mean:
        """Summary of the variant's arm."""
        return Mean.from_values(self.values[self.treated])

    def columns(self, *columns: Floats) -> tuple[Joint, Joint]:
        """Joint summaries of control and variant over the given columns."""
        matrix = np.column_stack(columns)
        return Joint.from_columns(matrix[~self.treated]), Joint.from_columns(matrix[self.treated])


def pair_of(units: Units, outcome: Outcome, code: int) -> Pair:
    """Units of control and of the variant with this code that have the outcome."""
    # Everybody with an outcome: leaving out those without a behaviour would condition on what the nudge can move.
    kept = ((units.arm == 0) | (units.arm == code)) & ~np.isnan(outcome.values)
    return Pair(
        kind=outcome.kind,
        values=outcome.values[kept],
        treated=units.arm[kept] == code,
        segment=None if units.segment is None else units.segment[kept],
        segment_labels=units.segment_labels,
        behaviour=None if units.behaviour is None else units.behaviour[kept],
        covariates=None if units.covariates is None else units.covariates[kept],
        cluster=None if units.cluster is None else np.unique(units.cluster[kept], return_inverse=True)[1],
    )


def standard_error(values: Floats, clusters: Codes | None) -> float:
    """Of the mean; between clusters when groups were assigned (with the factor G/(G-1))."""
    if clusters is None:
        return float(values.std(ddof=1) / np.sqrt(len(values)))
    sums = np.bincount(clusters, weights=values - values.mean())
    groups = len(np.unique(clusters))
    return float(np.sqrt(groups / (groups - 1) * (sums @ sums)) / len(values))


def itt_difference(pair: Pair, *, alpha: float) -> Estimate | NotComputable:
    """The primary test. With a behaviour it is the unpooled z, so that p and Anderson-Rubin set can't disagree."""
    if pair.cluster is not None:
        return adjust.cluster_difference(pair.values, pair.treated, pair.cluster, alpha=alpha)
    if pair.behaviour is not None:
        return compare.compare_unpooled(pair.control, pair.variant, alpha=alpha)
    return plain_difference(pair.kind, pair.control, pair.variant, alpha=alpha)


def plain_difference(kind: Kind, control: Mean, variant: Mean, *, alpha: float) -> Estimate | NotComputable:
    """Difference of independent units, variant minus control: score test for shares, Welch for means."""
    if kind is Kind.PROPORTION:
        return compare.compare_proportions(control, variant, alpha=alpha)
    return compare.compare_means(control, variant, alpha=alpha)
