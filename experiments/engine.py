"""From units to report: summaries, comparisons, health, verdict. Pure; file and stored experiments share it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from events.reasons import NotComputable, Reason, computable
from experiments import health, verdict
from experiments.design import Codes, Design, Floats, Kind, Outcome, Units
from experiments.report import (
    ArmValue,
    Comparison,
    Encouragement,
    OutcomeReport,
    Report,
    SegmentEffect,
    Stratified,
)
from experiments.stats import adjust, compare, encouragement, stratified
from experiments.stats.instruments import IvMoments, iv_moments, iv_moments_adjusted
from experiments.stats.multiplicity import benjamini_hochberg, holm
from experiments.stats.results import Estimate, Interval
from experiments.stats.summaries import Joint, Mean
from experiments.stats.validity import instrument_inequalities
from experiments.stats.weak_instrument import AndersonRubin, anderson_rubin

# METHODS 4.6: sparser segments are pooled before any test.
SEGMENT_UNITS = 50
SEGMENT_EVENTS = 10
OTHER_SEGMENT = "other"
# Lee, McCrary, Moreira and Porter (2022): below this first-stage F a plain interval at 1.96 isn't a 5 % interval.
RELIABLE_F = 104.7


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


def analyze(source: str, design: Design, units: Units) -> Report:
    """Analyse a finished experiment.

    Args:
        source: name shown on the report.
        design: the choices fixed before the outcome was read.
        units: the cleaned units.

    Returns:
        The whole report; numbers that can't be computed are in it as reasons.
    """
    split = health.split_of(design, units)
    findings = health.examine(health.Context(design, units, split))
    invalid = tuple(finding.invalid for finding in findings if finding.invalid is not None)
    outcomes = _with_verdicts(design, [_outcome(design, units, outcome) for outcome in units.outcomes], units, invalid)
    return Report(
        source=source,
        design=design,
        rows=units.rows,
        units=units.counts,
        excluded=units.excluded,
        sample_ratio=split,
        sample_ratio_passed="srm" not in invalid,
        outcomes=outcomes,
        health=findings,
        verdict=verdict.leading([(row.adjusted_p, row.verdict) for row in outcomes[0].comparisons]),
    )


# ── One outcome ───────────────────────────────────────────────────────────────
def _outcome(design: Design, units: Units, outcome: Outcome) -> OutcomeReport:
    values = {label: _arm_value(design, units, outcome, code) for code, label in enumerate(units.labels)}
    comparisons = tuple(
        _comparison(design, label, _pair(units, outcome, code)) for code, label in enumerate(units.labels) if code != 0
    )
    return OutcomeReport(outcome.name, outcome.kind, values, comparisons)


def _arm_value(design: Design, units: Units, outcome: Outcome, code: int) -> ArmValue:
    kept = (units.arm == code) & ~np.isnan(outcome.values)
    values = outcome.values[kept]
    n = len(values)
    missing = NotComputable(Reason.NO_DATA if n == 0 else Reason.TOO_FEW_UNITS)
    if n == 0:
        return ArmValue(0, missing, missing, missing)
    mean = float(values.mean())
    error: float | NotComputable = missing
    interval: Interval | NotComputable = missing
    if n > 1:
        clusters = None if units.cluster is None else units.cluster[kept]
        error = _standard_error(values, clusters)
        if outcome.kind is Kind.PROPORTION and clusters is None:
            interval = compare.wilson(int(values.sum()), n, alpha=design.alpha)
        else:
            df = n - 1 if clusters is None else max(len(np.unique(clusters)) - 1, 1)
            half = float(stats.t.isf(design.alpha / 2, df)) * error
            interval = Interval(mean, mean - half, mean + half, design.level, "mean-interval")
    return ArmValue(n, mean, error, interval)


def _standard_error(values: Floats, clusters: Codes | None) -> float:
    """Of the mean; between clusters when groups were assigned (with the factor G/(G-1))."""
    if clusters is None:
        return float(values.std(ddof=1) / np.sqrt(len(values)))
    sums = np.bincount(clusters, weights=values - values.mean())
    groups = len(np.unique(clusters))
    if groups < 2:
        return float(values.std(ddof=1) / np.sqrt(len(values)))
    return float(np.sqrt(groups / (groups - 1) * (sums @ sums)) / len(values))


def _pair(units: Units, outcome: Outcome, code: int) -> Pair:
    kept = ((units.arm == 0) | (units.arm == code)) & ~np.isnan(outcome.values)
    if units.behaviour is not None:
        kept &= ~np.isnan(units.behaviour)
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


# ── One comparison ────────────────────────────────────────────────────────────
def _comparison(design: Design, label: str, pair: Pair) -> Comparison:
    difference = _difference(pair, alpha=design.alpha)
    return Comparison(
        variant=label,
        difference=difference,
        adjusted_p=NotComputable(Reason.NO_DATA),
        lift=_lift(pair, difference, alpha=design.alpha),
        covariate_adjusted=_adjusted(pair, alpha=design.alpha),
        stratified=_stratified(pair, alpha=design.alpha),
        by_segment=_by_segment(pair, alpha=design.alpha),
        encouragement=_encouragement(pair, alpha=design.alpha),
        verdict=verdict.Verdict(verdict.Code.INCONCLUSIVE, "too_small"),
    )


def _difference(pair: Pair, *, alpha: float) -> Estimate | NotComputable:
    """The primary test. With a behaviour it is the unpooled z, so that p and Anderson-Rubin set can't disagree."""
    if pair.cluster is not None:
        return adjust.cluster_difference(pair.values, pair.treated, pair.cluster, alpha=alpha)
    if pair.behaviour is not None:
        return compare.compare_unpooled(pair.control, pair.variant, alpha=alpha)
    return _plain_difference(pair.kind, pair.control, pair.variant, alpha=alpha)


def _plain_difference(kind: Kind, control: Mean, variant: Mean, *, alpha: float) -> Estimate | NotComputable:
    if kind is Kind.PROPORTION:
        return compare.compare_proportions(control, variant, alpha=alpha)
    return compare.compare_means(control, variant, alpha=alpha)


def _lift(pair: Pair, difference: Estimate | NotComputable, *, alpha: float) -> Interval | NotComputable:
    control, variant = pair.control, pair.variant
    if pair.cluster is not None and computable(difference):
        # The lift needs each arm's own error; between clusters it is larger than between rows.
        control, variant = (
            replace(arm, variance=_standard_error(pair.values[kept], pair.cluster[kept]) ** 2 * arm.n)
            for arm, kept in ((control, ~pair.treated), (variant, pair.treated))
        )
    return compare.lift(control, variant, alpha=alpha)


def _adjusted(pair: Pair, *, alpha: float) -> adjust.Adjusted | NotComputable | None:
    if pair.covariates is None:
        return None
    if pair.cluster is not None:
        return adjust.lin_clustered(pair.values, pair.treated, pair.covariates, pair.cluster, alpha=alpha)
    return adjust.lin(*pair.columns(pair.values, pair.covariates), alpha=alpha)


# ── Segments ──────────────────────────────────────────────────────────────────
def _strata(pair: Pair) -> tuple[list[tuple[str, Mean, Mean]], tuple[str, ...]]:
    """Summaries per segment, sparse ones pooled as "other"; and the labels that were pooled."""
    if pair.segment is None:
        return [], ()
    rows: list[tuple[str, Mean, Mean]] = []
    pooled: list[str] = []
    other = (Mean(0, 0.0, 0.0), Mean(0, 0.0, 0.0))
    for code, label in enumerate(pair.segment_labels):
        inside = pair.segment == code
        control = Mean.from_values(pair.values[inside & ~pair.treated])
        variant = Mean.from_values(pair.values[inside & pair.treated])
        if control.n + variant.n == 0:
            continue
        if _sparse(pair.kind, control) or _sparse(pair.kind, variant):
            pooled.append(label)
            other = (other[0] + control, other[1] + variant)
        else:
            rows.append((label, control, variant))
    if other[0].n + other[1].n:
        rows.append((OTHER_SEGMENT, *other) if len(pooled) > 1 else (pooled[0], *other))
    return rows, tuple(pooled) if len(pooled) > 1 else ()


def _sparse(kind: Kind, arm: Mean) -> bool:
    events = min(arm.successes, arm.n - arm.successes) if kind is Kind.PROPORTION else SEGMENT_EVENTS
    return arm.n < SEGMENT_UNITS or events < SEGMENT_EVENTS


def _stratified(pair: Pair, *, alpha: float) -> Stratified | None:
    if pair.segment is None:
        return None
    rows, pooled = _strata(pair)
    strata = [(control, variant) for _, control, variant in rows if control.n > 0 and variant.n > 0]
    proportion = pair.kind is Kind.PROPORTION
    not_share = NotComputable(Reason.NOT_A_PROPORTION)
    effects = [_plain_difference(pair.kind, control, variant, alpha=alpha) for control, variant in strata]
    return Stratified(
        risk_difference=stratified.risk_difference(strata, alpha=alpha),
        odds_ratio=stratified.odds_ratio(strata, alpha=alpha) if proportion else not_share,
        cmh_p_value=_cmh_p(strata) if proportion else not_share,
        heterogeneity=stratified.heterogeneity([effect for effect in effects if computable(effect)]),
        odds_ratio_heterogeneity_p=_breslow_day_p(strata) if proportion else not_share,
        pooled=pooled,
    )


def _cmh_p(strata: list[tuple[Mean, Mean]]) -> float | NotComputable:
    result = stratified.cmh_test(strata)
    return result[1] if computable(result) else result


def _breslow_day_p(strata: list[tuple[Mean, Mean]]) -> float | NotComputable:
    result = stratified.breslow_day(strata)
    return result.p_value if computable(result) else result


def _by_segment(pair: Pair, *, alpha: float) -> tuple[SegmentEffect, ...]:
    rows, _ = _strata(pair)
    effects = [_plain_difference(pair.kind, control, variant, alpha=alpha) for _, control, variant in rows]
    adjusted = _adjust_all([effect.p_value if computable(effect) else effect for effect in effects], benjamini_hochberg)
    return tuple(
        SegmentEffect(label, control.n + variant.n, effect, p_value)
        for (label, control, variant), effect, p_value in zip(rows, effects, adjusted, strict=True)
    )


def _adjust_all(
    p_values: Sequence[float | NotComputable], method: Callable[[Sequence[float]], list[float]]
) -> list[float | NotComputable]:
    """Adjust the p-values that exist; the others keep their reason and don't count as tests."""
    done = iter(method([p for p in p_values if computable(p)]))
    return [next(done) if computable(p) else p for p in p_values]


# ── The behaviour ─────────────────────────────────────────────────────────────
def _moments(pair: Pair) -> IvMoments | NotComputable:
    if pair.behaviour is None:
        raise ValueError("an encouragement analysis needs a behaviour")
    if pair.cluster is not None:
        empty = np.empty((len(pair.values), 0))
        return iv_moments_adjusted(
            pair.values, pair.behaviour, pair.treated.astype(float), empty, clusters=pair.cluster
        )
    return iv_moments(*pair.columns(pair.values, pair.behaviour))


def _encouragement(pair: Pair, *, alpha: float) -> Encouragement | None:
    if pair.behaviour is None:
        return None
    moments = _moments(pair)
    control, variant = pair.columns(pair.values, pair.behaviour)
    if not computable(moments):
        return Encouragement(moments, moments, None, moments, moments, ())
    take_up = encouragement.first_stage(moments, control.column(1).mean, variant.column(1).mean, alpha=alpha)
    effect = encouragement.wald(moments, alpha=alpha)
    adjusted: Estimate | NotComputable | None = None
    if pair.covariates is not None:
        adjusted = encouragement.two_stage(
            pair.values,
            pair.behaviour,
            pair.treated.astype(float),
            pair.covariates,
            clusters=pair.cluster,
            alpha=alpha,
        )
    effect_set = anderson_rubin(moments, alpha=alpha)
    as_treated = encouragement.as_treated(control, variant)
    return Encouragement(
        take_up, effect, adjusted, effect_set, as_treated, _warnings(take_up, effect, effect_set, as_treated)
    )


def _warnings(
    take_up: encouragement.TakeUp | NotComputable,
    effect: Estimate | NotComputable,
    effect_set: AndersonRubin | NotComputable,
    as_treated: float | NotComputable,
) -> tuple[str, ...]:
    found: list[str] = []
    if computable(as_treated):
        found.append("as_treated")
    if computable(take_up) and computable(take_up.f_statistic) and take_up.f_statistic < RELIABLE_F:
        found.append("weak_nudge")
    if computable(effect_set) and not effect_set.bounded:
        found.append("unbounded_set")
    if computable(effect):
        found.append("compliers_only")
    return tuple(found)


# ── Verdicts ──────────────────────────────────────────────────────────────────
def _with_verdicts(
    design: Design, outcomes: list[OutcomeReport], units: Units, invalid: tuple[str, ...]
) -> tuple[OutcomeReport, ...]:
    """Holm over the family (all outcomes and variants), then each comparison's verdict."""
    family = [row.difference for outcome in outcomes for row in outcome.comparisons]
    adjusted = iter(_adjust_all([effect.p_value if computable(effect) else effect for effect in family], holm))
    done: list[OutcomeReport] = []
    for outcome, data in zip(outcomes, units.outcomes, strict=True):
        rows = tuple(replace(row, adjusted_p=next(adjusted)) for row in outcome.comparisons)
        judged = tuple(
            replace(
                row, verdict=verdict.decide(_evidence(design, outcome.name, row, _pair(units, data, code), invalid))
            )
            for code, row in enumerate(rows, start=1)
        )
        done.append(replace(outcome, comparisons=judged))
    return tuple(done)


def _evidence(design: Design, outcome: str, row: Comparison, pair: Pair, invalid: tuple[str, ...]) -> verdict.Evidence:
    narrow_alpha = 2 * design.alpha
    names: dict[str, verdict.Detail] = {"outcome": outcome, "variant": row.variant}
    if design.behaviour is not None:
        names["behaviour"] = design.behaviour
    plain = verdict.Evidence(
        kind=pair.kind,
        names=names,
        invalid=invalid,
        enough=all(_enough(pair.kind, arm) for arm in (pair.control, pair.variant)),
        alpha=design.alpha,
        difference=row.difference,
        narrow=_difference(pair, alpha=narrow_alpha),
        adjusted_p=row.adjusted_p,
        margin=design.margin,
    )
    found = row.encouragement
    if found is None or not computable(found.take_up) or not computable(found.effect_set) or pair.behaviour is None:
        return plain
    moments = _moments(pair)
    narrow_set = anderson_rubin(moments, alpha=narrow_alpha) if computable(moments) else moments
    return replace(
        plain,
        take_up=found.take_up,
        effect_set=found.effect_set,
        narrow_set=narrow_set if computable(narrow_set) else None,
        inequalities=instrument_inequalities(pair.values, pair.behaviour, pair.treated, clusters=pair.cluster),
    )


def _enough(kind: Kind, arm: Mean) -> bool:
    if arm.n < verdict.MIN_UNITS:
        return False
    return kind is not Kind.PROPORTION or min(arm.successes, arm.n - arm.successes) >= verdict.MIN_EVENTS
