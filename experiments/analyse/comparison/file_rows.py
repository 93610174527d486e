"""Comparisons over a file's units: one entry per unit, with clusters and numeric covariates. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from experiments.analyse.comparison.protocol import FEW_CLUSTERS, MOST_LEVELS, Strata, others_of, plain_difference
from experiments.analyse.effects import ArmValue
from experiments.analyse.verdict import MIN_CLUSTERS
from experiments.plan.design import Codes, Floats, Kind, Outcome, Units
from stats import adjustment, compare, stratified
from stats.clusters import (
    Randomisation,
    count_clusters,
    difference_scores,
    mean_scores,
    randomisation_test,
    reach_across,
    shares_differ,
)
from stats.instrument import encouragement
from stats.instrument.other_behaviours import OtherMoments
from stats.instrument.validity import Inequalities, instrument_inequalities
from stats.iv_moments import Contrast, IvMoments, contrast, contrast_adjusted
from stats.lin import LinEffects, lin_effects_clustered, lin_effects_stratified, lin_estimate, lin_lift
from stats.results import Estimate, Interval, NotComputable, Reason, computable
from stats.summaries import Joint, Mean
from stats.trait_cells import NO_COLUMNS, TraitCells, TraitColumns, trait_cells

RANDOMISATION_SEED = 20_260_101


@dataclass(frozen=True)
class RowPair:
    """The units of control and one variant that have a value, in one outcome.

    `whole_clusters` is True when each group of the file has one arm.
    """

    kind: Kind
    values: Floats
    treated: NDArray[np.bool_]
    segment: Codes | None
    segment_labels: tuple[str, ...]
    behaviour: Floats | None
    covariates: Floats | None
    cluster: Codes | None
    covariate_names: tuple[str, ...] = ()
    known_before: TraitColumns = NO_COLUMNS
    by_lin: bool = False
    whole_clusters: bool = False
    other_names: tuple[str, ...] = ()
    did_others: Floats | None = None  # units x others

    @property
    def with_behaviour(self) -> Self:
        """Only the units whose behaviour is known, for estimates of the behaviour's effect."""
        if self.behaviour is None:
            raise ValueError("an encouragement analysis needs a behaviour")
        known = ~np.isnan(self.behaviour)
        return self if known.all() else self._of(known)

    def _of(self, mask: NDArray[np.bool_]) -> Self:
        """A subset of the units, by mask."""
        return replace(
            self,
            values=self.values[mask],
            treated=self.treated[mask],
            segment=None if self.segment is None else self.segment[mask],
            behaviour=None if self.behaviour is None else self.behaviour[mask],
            covariates=None if self.covariates is None else self.covariates[mask],
            cluster=None if self.cluster is None else np.unique(self.cluster[mask], return_inverse=True)[1],
            known_before=self.known_before.of(mask),
            did_others=None if self.did_others is None else self.did_others[mask],
        )

    @property
    def control(self) -> Mean:
        """Summary of the control arm."""
        return Mean.from_values(self.values[~self.treated])

    @property
    def variant(self) -> Mean:
        """Summary of the variant's arm."""
        return Mean.from_values(self.values[self.treated])

    @property
    def clustered(self) -> bool:
        """True when groups were assigned."""
        return self.cluster is not None

    @property
    def few_clusters(self) -> bool:
        """True below five effective clusters in an arm: no verdict, since one cluster would decide it."""
        if self.cluster is None:
            return False
        return self._effective_clusters < MIN_CLUSTERS

    @property
    def segments_apart(self) -> bool:
        """False when a cluster reaches into several segments."""
        if self.cluster is None or self.segment is None:
            return True
        pairs = np.unique(np.column_stack([self.cluster, self.segment]), axis=0)
        return len(pairs) <= len(np.unique(self.cluster))

    @property
    def has_behaviour(self) -> bool:
        """True for an encouragement design."""
        return self.behaviour is not None

    def difference(self, *, alpha: float) -> Estimate | NotComputable:
        """Variant minus control; with a behaviour the unpooled z, so that p and the Anderson-Rubin set agree."""
        if (lin := self._lin(self.values)) is not None:
            return lin_estimate(lin, alpha=alpha) if computable(lin) else lin
        if self.cluster is not None:
            return adjustment.cluster_difference(self.values, self.treated, self.cluster, alpha=alpha)
        if self.has_behaviour:
            return compare.compare_unpooled(self.control, self.variant, alpha=alpha)
        return plain_difference(self.kind, self.control, self.variant, alpha=alpha)

    def lift(self, *, alpha: float) -> Interval | NotComputable:
        """Relative lift; with clusters, errors are cluster-robust and the t distribution is the difference's."""
        if (lin := self._lin(self.values)) is not None:
            return lin_lift(lin, alpha=alpha) if computable(lin) else lin
        if self.cluster is None:
            return compare.lift(self.control, self.variant, alpha=alpha)
        scores = difference_scores(self.values, self.treated, self.cluster)[1]
        errors = [mean_scores(self.values[mask], self.cluster[mask]).error for mask in (~self.treated, self.treated)]
        control, variant = (
            replace(arm, variance=error**2 * arm.n)
            for arm, error in zip((self.control, self.variant), errors, strict=True)
        )
        critical = float(stats.t.isf(alpha / 2, scores.degrees_of_freedom))
        return compare.lift(control, variant, alpha=alpha, critical=critical)

    def randomisation(self) -> Randomisation | NotComputable | None:
        """Randomisation test beside the t test, where an arm has fewer than twenty effective clusters."""
        if self.cluster is None or self._effective_clusters >= FEW_CLUSTERS:
            return None
        rng = np.random.default_rng(RANDOMISATION_SEED)
        test = randomisation_test(self.values, self.treated, self.cluster, rng=rng)
        return replace(test, seed=RANDOMISATION_SEED) if computable(test) else test

    @property
    def _effective_clusters(self) -> float:
        """Effective clusters of the arm that has fewest."""
        if self.cluster is None:
            return float("inf")
        return min(count_clusters(self.cluster[arm]).effective for arm in (self.treated, ~self.treated))

    def adjusted(self, *, alpha: float) -> adjustment.Adjusted | NotComputable | None:
        """Lin's adjustment."""
        if self.covariates is None:
            return None
        if (lin := self._lin(self.values)) is not None:
            return adjustment.adjusted_of(lin, self.unadjusted(alpha=alpha), alpha=alpha) if computable(lin) else lin
        if self.cluster is not None:
            return adjustment.lin_clustered(self.values, self.treated, self.covariates, self.cluster, alpha=alpha)
        return adjustment.lin(*self.columns(self.values, self.covariates), alpha=alpha)

    def unadjusted(self, *, alpha: float) -> Estimate | NotComputable | None:
        """The difference without the registered adjustment; None where none is registered."""
        return replace(self, by_lin=False).difference(alpha=alpha) if self.by_lin else None

    def _lin(self, *columns: Floats) -> LinEffects | NotComputable | None:
        """The registered adjustment; None without one, and where clusters are too few for the covariates."""
        if not self.by_lin or self.covariates is None:
            return None
        if self.cluster is None:
            return lin_effects_stratified([self.columns(*columns, self.covariates)], len(columns))
        effects = lin_effects_clustered(
            np.column_stack(columns), self.treated.astype(float), self.covariates, self.cluster
        )
        return effects if computable(effects) else None

    def by_segment(self) -> Strata | None:
        """Label, control summary and variant summary of each segment."""
        if self.segment is None:
            return None
        return [
            (
                label,
                Mean.from_values(self.values[mask & ~self.treated]),
                Mean.from_values(self.values[mask & self.treated]),
            )
            for code, label in enumerate(self.segment_labels)
            for mask in [self.segment == code]
        ]

    def within(self, labels: Sequence[str], control: Mean, variant: Mean, *, alpha: float) -> Estimate | NotComputable:
        """The test of the whole comparison, inside some segments."""
        if self.cluster is not None and self.segment is not None:
            inside = np.isin(self.segment, [self.segment_labels.index(label) for label in labels])
            values, treated, cluster = self.values[inside], self.treated[inside], self.cluster[inside]
            return adjustment.cluster_difference(values, treated, cluster, alpha=alpha)
        if self.has_behaviour:
            return compare.compare_unpooled(control, variant, alpha=alpha)
        return plain_difference(self.kind, control, variant, alpha=alpha)

    def pooled(self, strata: Sequence[tuple[Mean, Mean]], *, alpha: float) -> Estimate | NotComputable:
        """Mantel-Haenszel difference."""
        if self.cluster is None or self.segment is None:
            return stratified.risk_difference(strata, alpha=alpha)
        return stratified.clustered_risk_difference(
            self.values, self.treated.astype(float), self.segment, self.cluster, alpha=alpha
        )

    def joints(self) -> tuple[Joint, Joint]:
        """Joint summaries of control and variant over (outcome, behaviour)."""
        known = self.with_behaviour
        return known.columns(known.values, known._did)

    def take_up(self) -> tuple[float, float]:
        """Mean of the behaviour in control and in variant."""
        known = self.with_behaviour
        lin = known._lin(known.values, known._did)
        if lin is not None and computable(lin):
            return float(lin.levels[0, 1]), float(lin.levels[1, 1])
        control, variant = self.joints()
        return control.column(1).mean, variant.column(1).mean

    def moments(self) -> IvMoments | NotComputable:
        """IV moments from the arms' moments; with clusters, from the influence of each cluster."""
        known = self.with_behaviour
        found = known._contrast(known.values, known._did)
        return found.moments if computable(found) else found

    def others(self) -> OtherMoments | NotComputable | None:
        """What the nudge did to other behaviours, over the units of `moments`; None where none is named."""
        if not self.has_behaviour or self.did_others is None:
            return None
        known = self.with_behaviour
        return others_of(self.other_names, known._contrast(known.values, known._did, *known._others))

    def _contrast(self, *columns: Floats) -> Contrast | NotComputable:
        """Effects on these columns; with clusters, from the influence of each cluster."""
        if (lin := self._lin(*columns)) is not None:
            return lin.contrast if computable(lin) else lin
        if self.cluster is None:
            return contrast(*self.columns(*columns))
        empty = np.empty((len(self.values), 0))
        return contrast_adjusted(np.column_stack(columns), self.treated.astype(float), empty, clusters=self.cluster)

    def two_stage(self, *, alpha: float) -> Estimate | NotComputable | None:
        """Two-stage least squares with the covariates."""
        known = self.with_behaviour
        if known.covariates is None:
            return None
        return encouragement.two_stage(
            known.values, known._did, known.treated.astype(float), known.covariates, clusters=known.cluster, alpha=alpha
        )

    def inequalities(self) -> Inequalities | NotComputable:
        """Instrument inequalities over units with a known behaviour; whole clusters imply none (friends' acts)."""
        if self.whole_clusters:
            return NotComputable(Reason.WHOLE_CLUSTERS)
        known = self.with_behaviour
        return instrument_inequalities(known.values, known._did, known.treated, clusters=known.cluster)

    def trait_cells(self, *, behaviour: bool) -> TraitCells | NotComputable:
        """One cell per combination of traits; not computable when clusters were assigned."""
        if self.cluster is not None:
            return NotComputable(Reason.CLUSTERED)
        known = self.with_behaviour if behaviour else self
        matrix = np.column_stack([known.values, known._did] if behaviour else [known.values])
        none = np.zeros((*matrix.shape, matrix.shape[1]))
        ones, share = np.ones(len(matrix)), self.kind is Kind.PROPORTION
        return trait_cells(known.known_before, known.treated, ones, matrix, none, proportion=share)

    @property
    def same_split(self) -> bool:
        """True: a file has the same planned split in all segments."""
        return True

    @property
    def levels(self) -> tuple[str, ...]:
        """Labels of segments and 0/1 covariates; a 0/1 column that isn't a dummy gives one label per value."""
        named = list(self.segment_labels) if self.segment is not None and len(self.segment_labels) > 1 else []
        for place, name in enumerate(self.covariate_names):
            column = None if self.covariates is None else self.covariates[:, place]
            if column is not None and np.isin(column, (0.0, 1.0)).all():
                named += [name] if "=" in name else [f"{name}=1", f"{name}=0"]
        named = list(dict.fromkeys(named))[:MOST_LEVELS]
        return tuple(name for name in named if self._apart(self._mask(name)))

    def inside(self, level: str) -> Self:
        """Units of one level."""
        return self._of(self._mask(level))

    def outside(self, level: str) -> Self:
        """All other units."""
        return self._of(~self._mask(level))

    def _mask(self, level: str) -> NDArray[np.bool_]:
        if self.segment is not None and level in self.segment_labels:
            return np.equal(self.segment, self.segment_labels.index(level))
        if self.covariates is None:
            raise KeyError(level)
        if level in self.covariate_names:
            return np.equal(self.covariates[:, self.covariate_names.index(level)], 1)
        name, _mark, value = level.rpartition("=")
        return np.equal(self.covariates[:, self.covariate_names.index(name)], float(value))

    def _apart(self, inside: NDArray[np.bool_]) -> bool:
        """True when both parts have units and no cluster has units in both."""
        if not inside.any() or inside.all():
            return False
        return self.cluster is None or not np.isin(self.cluster[inside], self.cluster[~inside]).any()

    def columns(self, *columns: Floats) -> tuple[Joint, Joint]:
        """Joint summaries of control and variant over the given columns."""
        matrix = np.column_stack(columns)
        return Joint.from_columns(matrix[~self.treated]), Joint.from_columns(matrix[self.treated])

    @property
    def _others(self) -> list[Floats]:
        return [] if self.did_others is None else list(self.did_others.T)

    @property
    def _did(self) -> Floats:
        if self.behaviour is None:
            raise ValueError("an encouragement analysis needs a behaviour")
        return self.behaviour


@dataclass(frozen=True)
class RowData:
    """All outcomes of a file; `by_lin` when the comparison adjusted for the covariates is the primary one."""

    units: Units
    by_lin: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Variants, control first."""
        return self.units.labels

    @cached_property
    def outcomes(self) -> Mapping[str, Kind]:
        """Outcomes as the file's design lists them."""
        return {outcome.name: outcome.kind for outcome in self.units.outcomes}

    @cached_property
    def whole_clusters(self) -> bool:
        """True when groups were assigned: hardly any holds several arms, or they were assigned different shares.

        In the second case control holds groups without any nudge, and the comparison includes spillovers from friends.
        """
        cluster, arm = self.units.cluster, self.units.arm
        return cluster is not None and (not reach_across(cluster, arm) or shares_differ(cluster, arm > 0))

    def level(self, outcome: str, code: int, *, alpha: float) -> ArmValue:
        """n, mean, error and interval of one arm."""
        column = self._outcome(outcome)
        mask = (self.units.arm == code) & ~np.isnan(column.values)
        return arm_level(column.kind, column.values[mask], self._clusters(mask), alpha=alpha)

    def pair(self, outcome: str, code: int, *, against: int = 0) -> RowPair:
        """Units with the outcome, of the variant with this code and of its comparator."""
        units, column = self.units, self._outcome(outcome)
        # Include all units with an outcome: dropping those without a behaviour conditions on what the nudge can move.
        mask = ((units.arm == against) | (units.arm == code)) & ~np.isnan(column.values)
        return RowPair(
            kind=column.kind,
            values=column.values[mask],
            treated=units.arm[mask] == code,
            segment=None if units.segment is None else units.segment[mask],
            segment_labels=units.segment_labels,
            behaviour=None if units.behaviour is None else units.behaviour[mask],
            covariates=None if units.covariates is None else units.covariates[mask],
            cluster=None if units.cluster is None else np.unique(units.cluster[mask], return_inverse=True)[1],
            covariate_names=units.covariate_names,
            known_before=units.known_before.of(mask),
            by_lin=self.by_lin,
            whole_clusters=self.whole_clusters,
            other_names=units.other_names,
            did_others=None if units.others is None else units.others[mask],
        )

    def _outcome(self, name: str) -> Outcome:
        return next(outcome for outcome in self.units.outcomes if outcome.name == name)

    def _clusters(self, mask: NDArray[np.bool_]) -> Codes | None:
        return None if self.units.cluster is None else self.units.cluster[mask]


def arm_level(kind: Kind, values: Floats, clusters: Codes | None, *, alpha: float) -> ArmValue:
    """Level of an outcome in one arm; with clusters, with cluster-robust error."""
    n = len(values)
    missing = NotComputable(Reason.NO_DATA if n == 0 else Reason.TOO_FEW_UNITS)
    if n == 0:
        return ArmValue(0, missing, missing, missing)
    mean = float(values.mean())
    if n == 1:
        return ArmValue(n, mean, missing, missing)
    if clusters is not None and len(np.unique(clusters)) < 2:
        few = NotComputable(Reason.TOO_FEW_CLUSTERS)
        return ArmValue(n, mean, few, few)
    scores = None if clusters is None else mean_scores(values, clusters)
    error = float(values.std(ddof=1) / np.sqrt(n)) if scores is None else scores.error
    interval: Interval | NotComputable
    if kind is Kind.PROPORTION and clusters is None:
        interval = compare.wilson(int(values.sum()), n, alpha=alpha)
    else:
        df = n - 1 if scores is None else scores.degrees_of_freedom
        half = float(stats.t.isf(alpha / 2, df)) * error
        interval = Interval(mean, mean - half, mean + half, 1 - alpha, "mean-interval")
    return ArmValue(n, mean, error, interval)
