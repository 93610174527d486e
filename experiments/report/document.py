"""The report as the JSON document that other programs read (docs/analyze_file.md). Pure."""

from typing import Any

from experiments.analyse.codes import Finding
from experiments.analyse.effects import (
    ArmValue,
    Comparison,
    Encouragement,
    NudgeMargins,
    OutcomeReport,
    Report,
    SegmentEffect,
    Stratified,
)
from experiments.analyse.others import OtherRow
from experiments.analyse.verdict import Verdict
from experiments.report.health import finding_sentence
from experiments.report.verdict import verdict_sentence, warning_sentence
from reporting.document import chosen, outward
from stats.instrument.anderson_rubin import AndersonRubin
from stats.instrument.exclusion import ZeroFirstStage
from stats.instrument.generalise import CellEffect, Everybody, Reweighted
from stats.instrument.other_behaviours import UnderOthers
from stats.policy import Policy
from stats.results import NotComputable, computable
from stats.trait_cells import SEGMENT

# For whom the effect holds and whom to nudge, as parts of the JSON document of a report. Pure.

type Json = dict[str, Any]

ESTIMATE = ("estimate", "standard_error", "low", "high", "p_value", "method")
WHOM_DOCUMENT_INTERVAL = ("estimate", "low", "high", "level")
BOUNDS = ("low", "high", "limit_low", "limit_high", "level")


def everybody_document(value: Everybody | NotComputable | None) -> Any:
    """What is known beyond compliers; null where it wasn't computed."""
    if value is None or not computable(value):
        return value
    return {
        "moved": value.moved,
        "reweighted": _reweighted(value.reweighted),
        "others": chosen(value.others, *BOUNDS),
        "everybody": chosen(value.everyone, *BOUNDS),
    }


def _reweighted(value: Reweighted | NotComputable) -> Any:
    if not computable(value):
        return value
    return {
        "effect": chosen(value.effect, *ESTIMATE),
        "share": value.share,
        "traits": [_name(trait) for trait in value.traits],
        "cells": [_cell(cell) for cell in value.cells],
    }


def _cell(cell: CellEffect) -> Json:
    return {
        "traits": {_name(trait): level for trait, level in cell.combination},
        **chosen(cell, "share", "first_stage"),
        "effect": chosen(cell.effect, *ESTIMATE),
    }


def policy_document(value: Policy | NotComputable | None) -> Any:
    """The rule for whom to nudge with its gains; null where it wasn't computed."""
    if value is None or not computable(value):
        return value
    rule = value.rule
    return {
        "beats": value.beats,
        "rule": None
        if rule is None
        else {
            "any_of": rule.any_of,
            "conditions": [
                {"trait": _name(row.trait), "is" if row.holds else "is_not": row.level} for row in rule.conditions
            ],
        },
        "best_without_rule": None if rule is not None else "everybody" if value.everybody else "nobody",
        "share": value.share,
        **{
            name: chosen(getattr(value, name), *WHOM_DOCUMENT_INTERVAL)
            for name in ("over_all", "over_none", "all_over_none", "inside", "outside")
        },
        **chosen(value, "agreement", "cost", "folds", "judging", "splits", "seed"),
    }


def margins_document(value: NudgeMargins | NotComputable | None) -> Any:
    """The effect between nudges of different strength; null where there are fewer than two."""
    if value is None or not computable(value):
        return value
    margins = value.margins
    return {
        "rows": [
            {
                "weaker": value.arms[row.weaker],
                "stronger": value.arms[row.stronger],
                "take_up": [row.take_up_low, row.take_up_high],
                "effect": chosen(row.effect, *ESTIMATE),
                "anderson_rubin": chosen(row.effect_set, "shape", "low", "high"),
            }
            for row in margins.rows
        ],
        "agreement": {**chosen(margins, "statistic", "degrees_of_freedom", "p_value")},
    }


def _name(trait: str) -> str:
    return "segment" if trait == SEGMENT else trait


INTERVAL = ("estimate", "low", "high", "method")
TAKE_UP = ("control", "variant", "difference", "standard_error", "low", "high", "f_statistic")


def document(report: Report) -> Json:
    """The whole report as plain JSON types.

    Args:
        report: a finished analysis.

    Returns:
        A document without NaN or infinity: what can't be computed is ``{"not_computable": reason}``.
    """
    split = report.sample_ratio
    design = report.design
    written: Json = outward(
        {
            "file": report.source,
            **chosen(design, "control", "alpha", "margin"),
            "primary": "adjusted" if design.adjusted else "unadjusted",
            "rows": report.rows,
            "units": dict(report.units),
            "excluded": dict(report.excluded),
            "sample_ratio": {**chosen(split, "expected", "statistic", "p_value"), "passed": report.sample_ratio_passed}
            if computable(split)
            else split,
            "clusters": None
            if report.clusters is None
            else {label: {"n": row.clusters, "effective": row.effective} for label, row in report.clusters.items()},
            "outcomes": [_outcome(outcome) for outcome in report.outcomes],
            "health": [health_document(finding, finding_sentence(finding)) for finding in report.health],
            "verdict": verdict_document(report.verdict),
        }
    )
    return written


def health_document(finding: Finding, message: str) -> Json:
    """A health finding, with its sentence."""
    return {"check": finding.check, "severity": str(finding.severity), "message": message}


def verdict_document(verdict: Verdict) -> Json:
    """A verdict with its reason, as sentence and as code."""
    return {"code": str(verdict.code), "reason": verdict_sentence(verdict), "reason_code": verdict.reason}


def _outcome(outcome: OutcomeReport) -> Json:
    return {
        "name": outcome.name,
        "kind": str(outcome.kind),
        "values": {label: _arm(value) for label, value in outcome.values.items()},
        "comparisons": [_comparison(comparison) for comparison in outcome.comparisons],
        "margins": margins_document(outcome.margins),
    }


def _arm(value: ArmValue) -> Any:
    return chosen(value, "n", "mean", "standard_error")


def _comparison(row: Comparison) -> Json:
    return {
        "variant": row.variant,
        "difference": _with_adjusted_p(row.difference, row.adjusted_p),
        "simultaneous": chosen(row.simultaneous, *INTERVAL),
        "lift": chosen(row.lift, *INTERVAL),
        "covariate_adjusted": chosen(row.covariate_adjusted, *ESTIMATE, "variance_reduction"),
        # Plain comparison where the adjusted one is the primary one; null otherwise.
        "unadjusted": chosen(row.unadjusted, *ESTIMATE),
        "stratified": None if row.stratified is None else _stratified(row.stratified),
        "by_segment": [_segment(segment) for segment in row.by_segment],
        "encouragement": None if row.encouragement is None else _encouragement(row.encouragement),
        # Randomisation test for few clusters; null where units or many clusters were assigned.
        "randomisation": chosen(row.randomisation, "p_value", "draws", "seed"),
        "verdict": verdict_document(row.verdict),
        "policy": policy_document(row.policy),
    }


def _with_adjusted_p(value: Any, adjusted_p: float | NotComputable) -> Any:
    return {**chosen(value, *ESTIMATE), "adjusted_p_value": adjusted_p} if computable(value) else value


def _segment(segment: SegmentEffect) -> Json:
    return {**chosen(segment, "segment", "n"), "difference": _with_adjusted_p(segment.difference, segment.adjusted_p)}


def _stratified(value: Stratified) -> Json:
    heterogeneity = value.heterogeneity
    return {
        "risk_difference": chosen(value.risk_difference, *ESTIMATE),
        "odds_ratio": chosen(value.odds_ratio, *INTERVAL),
        "cmh_p_value": value.cmh_p_value,
        "heterogeneity_p_value": heterogeneity.p_value if computable(heterogeneity) else heterogeneity,
        "odds_ratio_heterogeneity_p_value": value.odds_ratio_heterogeneity_p,
        "interaction_p_value": value.interaction_p,
        "population_difference": chosen(value.population, *ESTIMATE),
        "pooled_segments": list(value.pooled),
    }


def _encouragement(value: Encouragement) -> Json:
    limits = value.direct_range
    return {
        "take_up": chosen(value.take_up, *TAKE_UP),
        # Whether the effect is of one's own behaviour, or per user moved including friends' acts in the cluster.
        "estimand": "whole_clusters" if "whole_clusters" in value.warnings else "own",
        "effect": chosen(value.effect, *ESTIMATE),
        "adjusted_effect": chosen(value.adjusted_effect, *ESTIMATE),
        "anderson_rubin": _set(value.effect_set),
        # Level of the set, breakdown value and sensitivity: above 1 - alpha where several nudges could lead.
        "set_level": value.effect_set.level if computable(value.effect_set) else value.effect_set,
        "as_treated": value.as_treated,
        "comparator": value.comparator or None,
        "comparator_reason": value.comparator_reason,
        "warnings": [warning_sentence(code) for code in value.warnings],
        "breakdown": value.breakdown,
        "sensitivity": [chosen(row, "direct", "shape", "low", "high") for row in value.sensitivity],
        "blind_spot": value.blind_spot,
        "direct_range": None
        if limits is None
        else {**chosen(limits, "low", "high"), "anderson_rubin": _set(limits.effect_set)},
        "everybody": everybody_document(value.everybody),
        "other_behaviours": [_other(row) for row in value.others],
        # The behaviour's effect whatever the moved others do within their limits; null where none was registered.
        "set_under_others": _set(value.under_others.effect_set)
        if isinstance(value.under_others, UnderOthers)
        else value.under_others,
        "zero_first_stage": None if value.zero_first_stage is None else _unmoved(value.zero_first_stage),
    }


def _other(row: OtherRow) -> Json:
    found, registered = row.found, row.registered
    take_up = {"difference": found.take_up, **chosen(found, "low", "high", "p_value")}
    return {
        "behaviour": registered.name,
        "times": registered.times,
        "take_up": take_up,
        "state": str(found.moved),
        # Limits of its effect on the first outcome, and the one farther from 0.
        "limits": list(registered.box),
        "largest_effect": registered.largest,
        "origin": registered.origin,
        # Its effect at which the set would begin to hold 0.
        "harmless": found.most,
        "consequence": registered.consequence or None,
    }


def _unmoved(value: ZeroFirstStage) -> Json:
    return {
        **chosen(value, "group", "units"),
        "take_up": {**chosen(value.take_up, "difference", "low", "high"), "band": value.band},
        "direct": chosen(value.direct, *ESTIMATE),
        "anderson_rubin": _set(value.effect_set),
    }


def _set(value: AndersonRubin | NotComputable) -> Any:
    """An unbounded side is null; for rays the set is everything up to low and everything from high on."""
    return chosen(value, "shape", "low", "high")
