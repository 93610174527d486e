"""Records of a report, read by page, JSON document, charts and tests."""

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.analyse.codes import Finding
from experiments.analyse.others import OtherRow, StoredOthers
from experiments.analyse.verdict import Verdict
from experiments.plan.design import Design, Kind
from stats.adjustment import Adjusted
from stats.clusters import ClusterCount, Randomisation
from stats.instrument.anderson_rubin import AndersonRubin
from stats.instrument.encouragement import TakeUp
from stats.instrument.exclusion import DirectRange, DirectRow, ZeroFirstStage
from stats.instrument.generalise import Everybody
from stats.instrument.margins import Margins
from stats.instrument.other_behaviours import UnderOthers
from stats.instrument.pooled_sets import SharedControl
from stats.iv_moments import IvMoments
from stats.policy import Policy
from stats.results import Estimate, Interval, NotComputable, Reason
from stats.sequential.stagewise import Stagewise
from stats.srm import SampleRatio
from stats.stratified import Heterogeneity


@dataclass(frozen=True)
class ArmValue:
    """Level of an outcome in one arm: n units with a value, their mean, its standard error and interval."""

    n: int
    mean: float | NotComputable
    standard_error: float | NotComputable
    interval: Interval | NotComputable


@dataclass(frozen=True)
class SegmentEffect:
    """Effect inside one segment.

    Attributes:
        segment: label; sparse segments are pooled as "other".
        n: units of both arms with a value.
        difference: variant minus control inside the segment.
        adjusted_p: Benjamini-Hochberg over the segments (exploratory).
    """

    segment: str
    n: int
    difference: Estimate | NotComputable
    adjusted_p: float | NotComputable


@dataclass(frozen=True)
class Stratified:
    """The comparison inside segments, pooled, and whether segments differ.

    Attributes:
        risk_difference: Mantel-Haenszel difference (for a mean: the same weights).
        odds_ratio: Mantel-Haenszel odds ratio, with its interval.
        cmh_p_value: Cochran-Mantel-Haenszel test without continuity correction.
        heterogeneity: Cochran's Q on the difference scale.
        odds_ratio_heterogeneity_p: Breslow-Day with Tarone's correction.
        interaction_p: likelihood-ratio test of arm x segment in a logistic model.
        population: the effect weighted by the segments' shares of all units: the one to read when segments differ.
        pooled: labels of sparse segments that were pooled as "other".
    """

    risk_difference: Estimate | NotComputable
    odds_ratio: Interval | NotComputable
    cmh_p_value: float | NotComputable
    heterogeneity: Heterogeneity | NotComputable
    odds_ratio_heterogeneity_p: float | NotComputable
    interaction_p: float | NotComputable
    population: Estimate | NotComputable
    pooled: tuple[str, ...]


@dataclass(frozen=True)
class Encouragement:
    """The effect of the behaviour among compliers: units that the nudge moved.

    In the moments, "control" is the nudge's comparator: control or the placebo.

    Attributes:
        take_up: share that reached the AHA moment per arm, and the first stage.
        effect: Wald estimate (complier average causal effect); its interval isn't reliable for a weak first stage.
        adjusted_effect: two-stage least squares with the covariates; None without covariates.
        effect_set: Anderson-Rubin set, valid however weak the nudge is; decides the verdict. With m arms that may lead
            the report its level is 1 - alpha/m (in payloads of 0.4 1 - alpha), also for direct effects.
        as_treated: mean of those who did minus mean of those who didn't, whatever their arm: not causal.
        warnings: codes.
        comparator: label of what the nudge is compared with; "" in payloads of 0.3, which knew control only.
        comparator_reason: `placebo_moves_behaviour` where the placebo isn't shown to leave the behaviour alone; None
            otherwise. In payloads of 0.4 control then took its place.
        breakdown: direct effect of being nudged at which nothing is shown about the behaviour any more, with the sign
            of the nudge's total effect, in the outcome's unit (0.01 = one point of a share).
        sensitivity: the set of effects under direct effects from 0 to one and a half breakdown values.
        blind_spot: direct effect below which no instrument inequality can break, at any number of units; a share.
        direct_range: registered range of direct effects with the union of the sets under it; None without one.
        everybody: what is known beyond compliers; for the first outcome, with the final analysis. None where it wasn't
            computed, and in earlier payloads.
        zero_first_stage: a group that the nudge can't move, which shows the direct effect itself; None without one.
        moments: from which all of this and the pools over experiments are computed; None in payloads of earlier
            versions, where `experiments.analyse.export_findings` recovers them from the errors.
        shared: errors of the comparator, which other arms of the experiment share; None unless the moments are a plain
            contrast of two arms.
        others: other behaviours, for the first outcome, in whose unit their limits are; empty for all others, where
            none was registered, and in earlier payloads.
        under_others: the behaviour's effect whatever the moved others do within their limits; not computable for whole
            clusters, where friends' acts count too; None where `others` is empty.
        other_moments: of the other behaviours beside `moments`, for every outcome; None where none was registered.
    """

    take_up: TakeUp | NotComputable
    effect: Estimate | NotComputable
    adjusted_effect: Estimate | NotComputable | None
    effect_set: AndersonRubin | NotComputable
    as_treated: float | NotComputable
    warnings: tuple[str, ...]
    comparator: str = ""
    comparator_reason: str | None = None
    breakdown: float | NotComputable = NotComputable(Reason.EARLIER_VERSION)  # noqa: RUF009 - a frozen record
    sensitivity: tuple[DirectRow, ...] = ()
    blind_spot: float | NotComputable = NotComputable(Reason.EARLIER_VERSION)  # noqa: RUF009 - as above
    zero_first_stage: ZeroFirstStage | None = None
    direct_range: DirectRange | None = None
    everybody: Everybody | NotComputable | None = None
    moments: IvMoments | None = None
    shared: SharedControl | None = None
    others: tuple[OtherRow, ...] = ()
    under_others: UnderOthers | NotComputable | None = None
    other_moments: StoredOthers | None = None


@dataclass(frozen=True)
class Comparison:
    """One variant against control, or against the placebo, on one outcome.

    Attributes:
        variant: compared with `compared_with`.
        difference: the primary test, with the plain interval.
        adjusted_p: over the family; of a placebo, which is in no family, its own p.
        against_control: where the comparator is the placebo, the difference to control, which includes the direct
            effect of being nudged; None otherwise.
        simultaneous: interval at 1 - alpha/m, which holds for all m comparisons of the confirmatory family together;
            None where there is only one, or outside that family.
        randomisation: randomisation test for few clusters; None where units or many clusters were assigned.
        policy: whom to nudge, against control; for a nudge on the first outcome, with the final analysis. None where it
            wasn't computed, and in earlier payloads.
        unadjusted: the plain comparison, where the plan registered the adjusted one as `difference`; None otherwise.
    """

    variant: str
    difference: Estimate | NotComputable
    adjusted_p: float | NotComputable
    simultaneous: Interval | NotComputable | None
    lift: Interval | NotComputable
    covariate_adjusted: Adjusted | NotComputable | None
    stratified: Stratified | None
    by_segment: tuple[SegmentEffect, ...]
    encouragement: Encouragement | None
    verdict: Verdict
    randomisation: Randomisation | NotComputable | None = None
    against_control: Estimate | NotComputable | None = None
    policy: Policy | NotComputable | None = None
    unadjusted: Estimate | NotComputable | None = None

    @property
    def compared_with(self) -> str:
        """Label of what the variant is compared with; "" for control."""
        return "" if self.against_control is None or self.encouragement is None else self.encouragement.comparator


@dataclass(frozen=True)
class Corrected:
    """The effect of one variant on the first outcome, corrected for the looks of its plan.

    Attributes:
        variant: compared with control.
        difference: effect of the nudge on everyone, median-unbiased, with its stage-wise interval.
        effect: the same over the first stage: the behaviour's effect among those moved; None in a plain A/B test.
    """

    variant: str
    difference: Stagewise | NotComputable
    effect: float | NotComputable | None


@dataclass(frozen=True)
class NudgeMargins:
    """The behaviour's effect on units that one nudge moves and the next weaker nudge doesn't.

    Attributes:
        arms: labels, the comparator first; `margins` counts them from 0.
        margins: the effects, and the test that they are equal.
    """

    arms: tuple[str, ...]
    margins: Margins


@dataclass(frozen=True)
class OutcomeReport:
    """One outcome.

    Attributes:
        name: of the metric or column.
        kind: how it is summarised.
        values: levels per arm.
        comparisons: of each variant.
        margins: the behaviour's effect between neighbouring nudges of different strength; None where fewer than two
            nudge towards it, and in earlier payloads.
    """

    name: str
    kind: Kind
    values: Mapping[str, ArmValue]
    comparisons: tuple[Comparison, ...]
    margins: NudgeMargins | NotComputable | None = None


@dataclass(frozen=True)
class Report:
    """A complete analysis.

    Attributes:
        source: name of the analysed file or experiment.
        design: what was fixed before.
        rows: rows read.
        units: kept units per variant label, control first.
        excluded: rows left out per reason code.
        sample_ratio: test of the arm sizes against the planned split.
        sample_ratio_passed: False when the split makes the verdict INVALID (p < .001), overall or in a segment.
        outcomes: one entry per outcome, the primary one first.
        health: findings, gravest first.
        verdict: that of the first outcome's comparison with the smallest adjusted p-value.
        leading: the variant of that comparison.
        clusters: assigned and effective clusters of each arm; None where units were assigned.
    """

    source: str
    design: Design
    rows: int
    units: Mapping[str, int]
    excluded: Mapping[str, int]
    sample_ratio: SampleRatio | NotComputable
    sample_ratio_passed: bool
    outcomes: tuple[OutcomeReport, ...]
    health: tuple[Finding, ...]
    verdict: Verdict
    leading: str
    clusters: Mapping[str, ClusterCount] | None = None


def leading(report: Report) -> Comparison:
    """The comparison that the verdict rests on."""
    return next(row for row in report.outcomes[0].comparisons if row.variant == report.leading)
