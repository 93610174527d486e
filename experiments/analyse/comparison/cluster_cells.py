"""Comparisons for stored experiments that assign whole clusters, with cluster-robust errors. Pure.

A cluster's score is a sum over its units, so cells (units of one cluster, arm, week and covariates) give the same
result as rows of a file: CR2 with Bell and McCaffrey's degrees of freedom (docs/methods/clusters.md, "Cluster robust").
Segments aren't strata here: a cluster may reach into several, and all have the same planned split.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Self

import numpy as np
from scipy import stats

from experiments.analyse.comparison.file_rows import RANDOMISATION_SEED
from experiments.analyse.comparison.protocol import FEW_CLUSTERS, moments_estimate, traits_of, with_reason
from experiments.analyse.comparison.warehouse_cells import CellData, CellPair
from experiments.analyse.effects import ArmValue
from experiments.analyse.gather.answers import REACHED
from experiments.analyse.verdict import MIN_CLUSTERS
from experiments.plan.design import Kind
from stats import adjustment, compare, stratified
from stats.clusters import (
    ClusterCount,
    ClusterScores,
    Randomisation,
    count_clusters,
    difference_scores,
    mean_scores,
    randomisation_test,
)
from stats.instrument.encouragement import wald
from stats.instrument.validity import Inequalities, inequalities_between_clusters
from stats.iv_moments import Contrast, contrast_adjusted
from stats.lin import LinEffects, lin_effects_clustered, lin_estimate, lin_lift
from stats.multiplicity import holm
from stats.results import Estimate, Interval, NotComputable, Reason, computable
from stats.summaries import Array, Mean


@dataclass(frozen=True, eq=False)
class ClusterPair(CellPair):
    """Control and one variant on one outcome, as cells within clusters.

    Attributes:
        cluster: code of each cell's cluster.
        share: index of the saturation assigned to each cell's cluster, where nudged units are compared with other units
            of the same cluster; None where each cluster has one arm. Shares are strata: clusters with a larger one hold
            more nudged units, and more nudged friends.
    """

    cluster: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    share: np.ndarray | None = None

    @property
    def clustered(self) -> bool:
        """True: clusters were assigned."""
        return True

    @property
    def whole_clusters(self) -> bool:
        """True when each cluster has one arm, so that no units of one cluster are compared with each other."""
        return self.share is None

    @property
    def few_clusters(self) -> bool:
        """True below five effective clusters in an arm: no verdict, since one cluster would decide it."""
        return self._effective < MIN_CLUSTERS

    @property
    def segments_apart(self) -> bool:
        """False when a cluster reaches into several segments."""
        pairs = np.unique(np.column_stack([self.cluster, self.segment]), axis=0)
        return len(pairs) <= len(np.unique(self.cluster))

    def difference(self, *, alpha: float) -> Estimate | NotComputable:
        """Variant minus control with cluster-robust errors."""
        if (lin := self._lin((0,))) is not None:
            return lin_estimate(lin, alpha=alpha) if computable(lin) else lin
        if self._share_columns.shape[1]:
            return moments_estimate(self.moments(), alpha, "cluster-robust")
        plain = adjustment.cluster_difference(self._values, self.treated, self.cluster, alpha=alpha, n=self.n)
        return with_reason(self.kind, plain)

    def lift(self, *, alpha: float) -> Interval | NotComputable:
        """Relative lift with each arm's error between clusters, on the t distribution of the difference."""
        if (lin := self._lin((0,))) is not None:
            return lin_lift(lin, alpha=alpha) if computable(lin) else lin
        difference = self.difference(alpha=alpha)
        if not computable(difference):
            return difference
        scores = difference_scores(self._values, self.treated, self.cluster, self.n)[1]
        arms = [_of_arm(arm, self._errors[place]) for place, arm in enumerate((self.control, self.variant))]
        if self._share_columns.shape[1]:  # so that the variant lies above control by the difference
            arms[1] = replace(arms[1], mean=arms[0].mean + difference.estimate)
        critical = float(stats.t.isf(alpha / 2, scores.degrees_of_freedom))
        return compare.lift(*arms, alpha=alpha, critical=critical)

    def randomisation(self) -> Randomisation | NotComputable | None:  # type: ignore[override]
        """Randomisation test beside the t test, where an arm has fewer than 20 effective clusters of one arm each."""
        if self._effective >= FEW_CLUSTERS or not self.whole_clusters:
            return None
        rng = np.random.default_rng(RANDOMISATION_SEED)
        test = randomisation_test(self._values, self.treated, self.cluster, rng=rng, n=self.n)
        return replace(test, seed=RANDOMISATION_SEED) if computable(test) else test

    def adjusted(self, *, alpha: float) -> adjustment.Adjusted | NotComputable | None:
        """Lin's adjustment for covariates and segments, with cluster-robust errors."""
        if not self.x.shape[1]:
            return None
        if (effects := self._lin((0,))) is not None:
            return (
                adjustment.adjusted_of(effects, self.unadjusted(alpha=alpha), alpha=alpha)
                if computable(effects)
                else effects
            )
        lin = lin_effects_clustered(self._values[:, None], self.treated, self._x(), self.cluster, n=self.n)
        return adjustment.adjusted_of(lin, self.difference(alpha=alpha), alpha=alpha) if computable(lin) else lin

    def within(self, labels: Sequence[str], control: Mean, variant: Mean, *, alpha: float) -> Estimate | NotComputable:
        """The test of the whole comparison, inside some segments."""
        inside = np.isin(self.segment, [self.segment_labels.index(label) for label in labels])
        return self._of(inside).difference(alpha=alpha)

    def pooled(self, strata: Sequence[tuple[Mean, Mean]], *, alpha: float) -> Estimate | NotComputable:
        """Mantel-Haenszel difference over segments, with cluster-robust errors."""
        both = self.segment if self.share is None else len(self.segment_labels) * self.share + self.segment
        return stratified.clustered_risk_difference(
            self._values, self.treated, both, self.cluster, alpha=alpha, n=self.n
        )

    def take_up(self) -> tuple[float, float]:
        """Shares of control and variant that reached the behaviour; with several saturations control + first stage."""
        control, variant = super().take_up()
        if self._share_columns.shape[1] and computable(moments := self.moments()):
            return control, control + moments.first_stage
        return control, variant

    def _contrast(self, columns: tuple[int, ...]) -> Contrast | NotComputable:
        """Effects on these columns, from the influence of each cluster."""
        if (lin := self._lin(columns)) is not None:
            return lin.contrast if computable(lin) else lin
        return self._on(self._no_covariates, columns)

    def two_stage(self, *, alpha: float) -> Estimate | NotComputable | None:
        """Two-stage least squares with covariates and segments, with cluster-robust errors."""
        if not self.x.shape[1]:
            return None
        found = self._on(self._x())
        effect = wald(found.moments, alpha=alpha) if computable(found) else found
        return replace(effect, method="two-stage-least-squares") if computable(effect) else effect

    def inequalities(self) -> Inequalities | NotComputable:
        """Instrument inequalities of a share, by its two values; no quintiles of a number are counted by cluster.

        Whole clusters imply none, since friends' acts are another causal path.
        """
        if self.share is None:
            return NotComputable(Reason.WHOLE_CLUSTERS)
        if self.kind is not Kind.PROPORTION:
            return NotComputable(Reason.CLUSTERED)
        reached = self.names.index(REACHED)
        # Of 0/1 values: E[RD] from the n-1 covariance.
        both = self.covariance[:, 0, reached] * (self.n - 1) / self.n + self.means[:, 0] * self.means[:, reached]
        outcome, did = self.means[:, 0], self.means[:, reached]
        shares = {(0, 1): did - both, (0, 0): 1 - outcome - did + both, (1, 1): both, (1, 0): outcome - both}
        parts = [
            inequalities_between_clusters(
                {key: value[here] for key, value in shares.items()},
                self.treated[here] == 1,
                self.cluster[here],
                self.n[here],
            )
            for here in [self.share == place for place in np.unique(self.share)]
        ]
        tested = [test for test in parts if computable(test)]
        if not tested:
            return parts[0]
        raw = tuple(p for test in tested for p in test.p_values)
        return Inequalities(min(holm(raw)), min(tested, key=lambda test: test.p_value).worst, raw)

    def trait_cells(self, *, behaviour: bool) -> NotComputable:  # type: ignore[override]
        """Not computable: traits vary inside clusters."""
        return NotComputable(Reason.CLUSTERED)

    @property
    def levels(self) -> tuple[str, ...]:
        """Segments and covariate levels that share no cluster with the other units."""
        return tuple(
            label for label in super().levels if not np.isin(*(self.cluster[part] for part in self._parts(label))).any()
        )

    def level(self, arm: int, *, alpha: float) -> ArmValue:
        """Level of one arm with the error between its clusters."""
        whole, missing = (self.control, self.variant)[arm], NotComputable(Reason.TOO_FEW_CLUSTERS)
        if not whole.n:
            return ArmValue(0, *(NotComputable(Reason.NO_DATA),) * 3)
        scores = self._scores(arm)
        if scores is None:
            return ArmValue(whole.n, whole.mean, missing, missing)
        half = float(stats.t.isf(alpha / 2, scores.degrees_of_freedom)) * scores.error
        interval = Interval(whole.mean, whole.mean - half, whole.mean + half, 1 - alpha, "mean-interval")
        return ArmValue(whole.n, whole.mean, scores.error, interval)

    def _parts(self, label: str) -> tuple[np.ndarray, np.ndarray]:
        inside = traits_of(self.known_before)[label]
        return inside, ~inside

    def _lin(self, columns: tuple[int, ...]) -> LinEffects | NotComputable | None:
        """The registered adjustment, with cluster-robust errors; None where the plain comparison decides."""
        if not self.by_lin or not self.x.shape[1]:
            return None
        means = self._linear[0][:, list(columns)]
        known = np.column_stack([self.x, self._share_columns])
        return lin_effects_clustered(means, self.treated, known, self.cluster, n=self.n)

    def _of(self, mask: np.ndarray) -> Self:
        share = None if self.share is None else self.share[mask]
        return replace(super()._of(mask), cluster=self.cluster[mask], share=share)

    @property
    def _no_covariates(self) -> Array:
        return np.empty((len(self.n), 0))

    @cached_property
    def _share_columns(self) -> Array:
        """Dummies for every saturation but the first, where several are compared inside clusters."""
        if self.share is None:
            return self._no_covariates
        return np.asarray(self.share[:, None] == np.unique(self.share)[1:], dtype=np.float64)

    def _x(self) -> Array:
        return np.column_stack([super()._x(), self._share_columns])

    def _on(self, x: Array, columns: tuple[int, ...] = (0, 1)) -> Contrast | NotComputable:
        """Effects on these columns with the covariates `x`, cluster-robust."""
        known = np.column_stack([x, self._share_columns])
        return contrast_adjusted(
            self._linear[0][:, list(columns)], self.treated, known, clusters=self.cluster, n=self.n
        )

    @property
    def _values(self) -> Array:
        """The outcome per cell; a ratio is linearised."""
        return np.asarray(self._linear[0][:, 0])

    @cached_property
    def _groups(self) -> list[tuple[str, list[int]]]:
        """All segments are one stratum."""
        return [("", list(range(len(self.segment_labels))))]

    @cached_property
    def _errors(self) -> list[float]:
        """Standard errors of both arms' levels; only read where each arm has two clusters."""
        return [0.0 if (scores := self._scores(arm)) is None else scores.error for arm in (0, 1)]

    def _scores(self, arm: int) -> ClusterScores | None:
        mask = self.treated == arm
        if len(np.unique(self.cluster[mask])) < 2:
            return None
        return mean_scores(self._values[mask], self.cluster[mask], self.n[mask])

    @property
    def _effective(self) -> float:
        """Effective clusters of the arm that has fewest."""
        return min(
            count_clusters(self.cluster[mask], self.n[mask]).effective
            for mask in (self.treated == 1, self.treated == 0)
        )


@dataclass(frozen=True, eq=False)
class ClusterData(CellData):
    """All outcomes of a stored experiment that assigns whole clusters.

    With saturations, control means the clusters without any nudge; units that aren't nudged in partly nudged clusters
    are no control and are reported separately. That comparison includes spillovers from friends. So where a behaviour
    is under test, its outcomes are compared inside partly nudged clusters: there friends act alike on both sides, which
    leaves the effect of one's own behaviour (docs/methods/clusters.md). Guardrails measure the total effect of nudging.

    Attributes:
        inside: by saturation, whether a part of its clusters' units is nudged; empty where no outcome is compared
            inside clusters.
        guardrails: outcomes that are compared with the clusters without nudge.
    """

    inside: tuple[bool, ...] = ()
    guardrails: tuple[str, ...] = ()

    def level(self, outcome: str, code: int, *, alpha: float) -> ArmValue:
        """n, mean, error and interval of one arm, with cluster-robust error."""
        return self.pair(outcome, code or 1).level(1 if code else 0, alpha=alpha)

    def pair(self, outcome: str, code: int, *, against: int = 0, week: int | None = None) -> ClusterPair:
        """The cells with mature units of one variant and its comparator."""
        plain = super().pair(outcome, code, against=against, week=week)
        mask = self.kept(outcome, code, against, week)
        cluster = np.zeros(0, dtype=np.int64) if self.cells.cluster is None else self.cells.cluster[mask]
        share = self.cells.saturation[mask] if self.cells.saturation is not None and self._within(outcome) else None
        parts = {part.name: getattr(plain, part.name) for part in fields(plain)}
        return ClusterPair(**parts, cluster=cluster, share=share)

    def _within(self, outcome: str) -> bool:
        return any(self.inside) and outcome not in self.guardrails

    def kept(self, outcome: str, code: int, against: int, week: int | None) -> np.ndarray:
        """Mask of the cells in the comparison."""
        mask = super().kept(outcome, code, against, week)
        if self.cells.saturation is None:
            return mask
        if self._within(outcome):
            partly = np.isin(self.cells.saturation, np.flatnonzero(self.inside))
            return np.asarray(mask & partly)
        return np.asarray(mask & ((self.cells.variant != 0) | (self.cells.saturation == 0)))

    def counts(self) -> Mapping[str, ClusterCount]:
        """Clusters of each arm among the exposed units."""
        cells = self.cells
        if cells.cluster is None:
            return {}
        return {
            label: count_clusters(cells.cluster[here], cells.exposed[here])
            for code, label in enumerate(cells.variants)
            for here in [(cells.variant == code) & (cells.exposed > 0)]
        }


def _of_arm(arm: Mean, error: float) -> Mean:
    """The arm with the variance that independent units would need to give this error."""
    return replace(arm, variance=error**2 * arm.n)
