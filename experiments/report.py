"""The one record that page, JSON document, chart and test all read."""

from collections.abc import Mapping
from dataclasses import dataclass

from events.reasons import NotComputable
from experiments.design import Design, Kind
from experiments.health import Finding
from experiments.stats.adjust import Adjusted
from experiments.stats.encouragement import TakeUp
from experiments.stats.results import Estimate, Interval
from experiments.stats.srm import SampleRatio
from experiments.stats.stagewise import Stagewise
from experiments.stats.stratified import Heterogeneity
from experiments.stats.weak_instrument import AndersonRubin
from experiments.verdict import Verdict


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
    """The effect of the behaviour among those whom the nudge moved.

    Attributes:
        take_up: share that reached the AHA moment per arm, and the first stage.
        effect: Wald estimate (complier average causal effect); its interval isn't reliable for a weak first stage.
        adjusted_effect: two-stage least squares with the covariates; None without covariates.
        effect_set: Anderson-Rubin set, valid however weak the nudge is; decides the verdict.
        as_treated: mean of those who did minus mean of those who didn't, whatever their arm: not causal.
        warnings: codes of what the reader must know.
    """

    take_up: TakeUp | NotComputable
    effect: Estimate | NotComputable
    adjusted_effect: Estimate | NotComputable | None
    effect_set: AndersonRubin | NotComputable
    as_treated: float | NotComputable
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """One variant against control on one outcome.

    Attributes:
        variant: compared with control.
        difference: the primary test, with the plain interval.
        adjusted_p: over the family.
        simultaneous: interval at 1 - alpha/m, which holds for all m comparisons of the confirmatory family together;
            None where there is only one, or outside that family.
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
class OutcomeReport:
    """One outcome: its levels per arm and its comparisons with control."""

    name: str
    kind: Kind
    values: Mapping[str, ArmValue]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class Report:
    """A whole analysis.

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
