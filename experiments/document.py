"""The report as the JSON document of DESIGN.md §8. Pure; `gettext` gives the sentences their language."""

from typing import Any

from experiments.report import ArmValue, Comparison, Encouragement, OutcomeReport, Report, SegmentEffect, Stratified
from experiments.verdict import Verdict
from experiments.words import finding_sentence, verdict_sentence, warning_sentence
from reporting.words import Gettext, reason_words
from stats.clusters import Randomisation
from stats.exclusion import ZeroFirstStage
from stats.results import Estimate, Interval, NotComputable, computable
from stats.weak_instrument import AndersonRubin

type Json = dict[str, Any]


def document(report: Report, gettext: Gettext) -> Json:
    """The whole report as plain JSON types.

    Args:
        report: a finished analysis.
        gettext: translates the sentences; keys and codes stay as they are.

    Returns:
        A document without NaN or infinity: what can't be computed is ``{"not_computable": reason}``.
    """
    split = report.sample_ratio
    design = report.design
    return {
        "file": report.source,
        "control": design.control,
        "alpha": design.alpha,
        "margin": design.margin,
        "rows": report.rows,
        "units": dict(report.units),
        "excluded": dict(report.excluded),
        "sample_ratio": _missing(split, gettext)
        if not computable(split)
        else {
            "expected": split.expected,
            "statistic": split.statistic,
            "p_value": split.p_value,
            "passed": report.sample_ratio_passed,
        },
        "clusters": None
        if report.clusters is None
        else {label: {"n": found.clusters, "effective": found.effective} for label, found in report.clusters.items()},
        "outcomes": [_outcome(outcome, gettext) for outcome in report.outcomes],
        "health": [
            {
                "check": finding.check,
                "severity": str(finding.severity),
                "message": finding_sentence(finding, gettext),
            }
            for finding in report.health
        ],
        "verdict": _verdict(report.verdict, gettext),
    }


def _missing(value: NotComputable, gettext: Gettext) -> Json:
    return {"not_computable": reason_words(value, gettext)}


def _value(value: float | NotComputable, gettext: Gettext) -> float | Json:
    return value if computable(value) else _missing(value, gettext)


def _verdict(verdict: Verdict, gettext: Gettext) -> Json:
    return {"code": str(verdict.code), "reason": verdict_sentence(verdict, gettext), "reason_code": verdict.reason}


def _outcome(outcome: OutcomeReport, gettext: Gettext) -> Json:
    return {
        "name": outcome.name,
        "kind": str(outcome.kind),
        "values": {label: _arm(value, gettext) for label, value in outcome.values.items()},
        "comparisons": [_comparison(comparison, gettext) for comparison in outcome.comparisons],
    }


def _arm(value: ArmValue, gettext: Gettext) -> Json:
    return {
        "n": value.n,
        "mean": _value(value.mean, gettext),
        "standard_error": _value(value.standard_error, gettext),
    }


def _comparison(row: Comparison, gettext: Gettext) -> Json:
    return {
        "variant": row.variant,
        "difference": _estimate(row.difference, gettext, adjusted_p=row.adjusted_p),
        "simultaneous": None if row.simultaneous is None else _interval(row.simultaneous, gettext),
        "lift": _interval(row.lift, gettext),
        "covariate_adjusted": _adjusted(row, gettext),
        "stratified": None if row.stratified is None else _stratified(row.stratified, gettext),
        "by_segment": [_segment(segment, gettext) for segment in row.by_segment],
        "encouragement": None if row.encouragement is None else _encouragement(row.encouragement, gettext),
        "randomisation": _randomisation(row.randomisation, gettext),
        "verdict": _verdict(row.verdict, gettext),
    }


def _randomisation(value: Randomisation | NotComputable | None, gettext: Gettext) -> Json | None:
    """Beside the difference of few clusters; null where units or many clusters were assigned."""
    if value is None:
        return None
    if not computable(value):
        return _missing(value, gettext)
    return {"p_value": value.p_value, "draws": value.draws, "seed": value.seed}


def _estimate(
    value: Estimate | NotComputable, gettext: Gettext, *, adjusted_p: float | NotComputable | None = None
) -> Json:
    if not computable(value):
        return _missing(value, gettext)
    found: Json = {
        "estimate": value.estimate,
        "standard_error": value.standard_error,
        "low": value.low,
        "high": value.high,
        "p_value": value.p_value,
        "method": value.method,
    }
    if adjusted_p is not None:
        found["adjusted_p_value"] = _value(adjusted_p, gettext)
    return found


def _interval(value: Interval | NotComputable, gettext: Gettext) -> Json:
    if not computable(value):
        return _missing(value, gettext)
    return {"estimate": value.estimate, "low": value.low, "high": value.high, "method": value.method}


def _adjusted(row: Comparison, gettext: Gettext) -> Json | None:
    value = row.covariate_adjusted
    if value is None:
        return None
    if not computable(value):
        return _missing(value, gettext)
    return {**_estimate(value, gettext), "variance_reduction": value.variance_reduction}


def _segment(segment: SegmentEffect, gettext: Gettext) -> Json:
    return {
        "segment": segment.segment,
        "n": segment.n,
        "difference": _estimate(segment.difference, gettext, adjusted_p=segment.adjusted_p),
    }


def _stratified(value: Stratified, gettext: Gettext) -> Json:
    heterogeneity = value.heterogeneity
    return {
        "risk_difference": _estimate(value.risk_difference, gettext),
        "odds_ratio": _interval(value.odds_ratio, gettext),
        "cmh_p_value": _value(value.cmh_p_value, gettext),
        "heterogeneity_p_value": heterogeneity.p_value
        if computable(heterogeneity)
        else _missing(heterogeneity, gettext),
        "odds_ratio_heterogeneity_p_value": _value(value.odds_ratio_heterogeneity_p, gettext),
        "interaction_p_value": _value(value.interaction_p, gettext),
        "population_difference": _estimate(value.population, gettext),
        "pooled_segments": list(value.pooled),
    }


def _encouragement(value: Encouragement, gettext: Gettext) -> Json:
    take_up = value.take_up
    return {
        "take_up": _missing(take_up, gettext)
        if not computable(take_up)
        else {
            "control": take_up.control,
            "variant": take_up.variant,
            "difference": take_up.difference,
            "standard_error": take_up.standard_error,
            "low": take_up.low,
            "high": take_up.high,
            "f_statistic": _value(take_up.f_statistic, gettext),
        },
        "effect": _estimate(value.effect, gettext),
        "adjusted_effect": None if value.adjusted_effect is None else _estimate(value.adjusted_effect, gettext),
        "anderson_rubin": _missing(value.effect_set, gettext)
        if not computable(value.effect_set)
        else _set(value.effect_set),
        "as_treated": _value(value.as_treated, gettext),
        "comparator": value.comparator or None,
        "comparator_reason": value.comparator_reason,
        "warnings": [warning_sentence(code, gettext) for code in value.warnings],
        "breakdown": _value(value.breakdown, gettext),
        "sensitivity": [
            {"direct": row.direct, "shape": row.shape, "low": row.low, "high": row.high} for row in value.sensitivity
        ],
        "blind_spot": _value(value.blind_spot, gettext),
        "direct_range": None
        if value.direct_range is None
        else {
            "low": value.direct_range.low,
            "high": value.direct_range.high,
            "anderson_rubin": _set(value.direct_range.effect_set),
        },
        "zero_first_stage": None if value.zero_first_stage is None else _unmoved(value.zero_first_stage, gettext),
    }


def _unmoved(value: ZeroFirstStage, gettext: Gettext) -> Json:
    take_up = value.take_up
    return {
        "group": value.group,
        "units": value.units,
        "take_up": {"difference": take_up.difference, "low": take_up.low, "high": take_up.high, "band": value.band},
        "direct": _estimate(value.direct, gettext),
        "anderson_rubin": _set(value.effect_set),
    }


def _set(value: AndersonRubin) -> Json:
    """An unbounded side is null; for rays the set is everything up to low and everything from high on."""
    return {"shape": value.shape, "low": value.low, "high": value.high}
