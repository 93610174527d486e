"""Stored results of older versions: back to their records, and which rules of analysis have changed since. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from experiments.analyse.effects import Comparison, Report
from experiments.analyse.result import AnalysisResult, Locked, Opened
from experiments.analyse.verdict import WHOLE_CLUSTERS, Verdict
from experiments.plan.design import Kind, kind_of
from reporting.document import dump, load
from runs.payloads import Document, Schema
from stats.results import NotComputable, Reason

# Which analysis rules have changed since a stored result was computed, and affect it. Pure.
#
# A result keeps the rules that its plan was registered under. Its page lists what would be judged otherwise today.

# Edition of the rules, incremented when one of them changes a number or a verdict. 1: up to version 0.4.
RULES = 2


class Changed(StrEnum):
    """A rule of edition 1 that edition 2 has replaced."""

    PLACEBO = "placebo"
    TIES = "ties"
    CLUSTERS = "clusters"
    ARMS = "arms"
    TWO_ARMS_MET = "two_arms_met"
    MIX = "mix"


def changed_rules(result: AnalysisResult) -> tuple[Changed, ...]:
    """The rules that have changed since and could change this result; empty where none does."""
    return tuple(_touching(result)) if isinstance(result, Opened) and result.rules < RULES else ()


def _touching(opened: Opened) -> Iterator[Changed]:
    plan, flow, report = opened.plan, opened.flow, opened.report
    rows = report.outcomes[0].comparisons
    moved = [row.encouragement for row in rows if row.encouragement is not None]
    if any(encouragement.comparator_reason for encouragement in moved):
        yield Changed.PLACEBO
    if any(kind_of(name) is Kind.QUANTILE for name in plan.primary):
        yield Changed.TIES
    if opened.whole_clusters and moved:
        yield Changed.CLUSTERS
    if len(report.design.may_lead(row.variant for row in rows)) > 1 and moved:
        yield Changed.ARMS
    if flow.several_variants or flow.identity_conflicts:
        yield Changed.TWO_ARMS_MET
    if any(row.stratified for row in rows) and any(kind_of(name) is Kind.RATIO for name in plan.primary):
        yield Changed.MIX


# Read and write stored payloads of analyses, of any version. Pure.

# A stored result is one flat document: a locked one has the fields of an opened one, too, empty, and in this order.
ORDER = (
    *("plan", "standing", "flow", "sample_ratio", "health", "first_stage", "verdict", "report", "path", "beliefs"),
    *("shrunk", "through", "by_times", "dose", "arms_over_time", "over_time", "data_end", "time_zone", "events"),
    *("seed", "corrected", "hidden", "without_unverified", "decision", "saturation", "rules", "with_unverified"),
    *("take_ups", "lab"),
)
LISTS = (
    *("beliefs", "shrunk", "through", "by_times", "arms_over_time", "over_time", "corrected", "hidden", "saturation"),
    "take_ups",
)


class ResultSchema(Schema[AnalysisResult]):
    """Results; whole-cluster effects of version 0.4, worded as effects of a member's own act, are reworded."""

    def to_document(self, record: AnalysisResult) -> Document:
        """The flat document of a locked or an opened result."""
        return {**dict.fromkeys(ORDER), **{name: [] for name in LISTS}, **dump(record)}

    def from_document(self, document: Document) -> AnalysisResult:
        """The locked result of a document without a report, else the opened one."""
        if document["report"] is None:
            return load(Locked, document)
        opened = load(Opened, document)
        return _of_whole_clusters(opened) if opened.whole_clusters else opened


READOUT = ResultSchema(AnalysisResult)


def _of_whole_clusters(opened: Opened) -> Opened:
    """Reword results of version 0.4, which reported whole-cluster effects as effects of a member's own behaviour.

    Codes and figures stay as stored; only what they are about is corrected, which the plan determines.
    """
    cluster = opened.whole_clusters
    missing = NotComputable(Reason.WHOLE_CLUSTERS)
    return replace(
        opened,
        verdict=_verdict(opened.verdict, cluster),
        report=_report(opened.report, cluster),
        through=tuple(replace(row, inequalities=missing) for row in opened.through),
        by_times=tuple(replace(row, response=missing) for row in opened.by_times),
    )


def _report(report: Report, cluster: str) -> Report:
    outcomes = tuple(
        replace(outcome, comparisons=tuple(_comparison(row, cluster) for row in outcome.comparisons))
        for outcome in report.outcomes
    )
    return replace(report, verdict=_verdict(report.verdict, cluster), outcomes=outcomes)


def _comparison(row: Comparison, cluster: str) -> Comparison:
    encouragement = row.encouragement
    if encouragement is not None:
        warnings = tuple(code for code in encouragement.warnings if code not in ("compliers_only", WHOLE_CLUSTERS))
        missing = NotComputable(Reason.WHOLE_CLUSTERS)
        everybody = None if encouragement.everybody is None else missing
        encouragement = replace(
            encouragement, warnings=(*warnings, WHOLE_CLUSTERS), everybody=everybody, blind_spot=missing
        )
    return replace(row, encouragement=encouragement, verdict=_verdict(row.verdict, cluster))


def _verdict(verdict: Verdict, cluster: str) -> Verdict:
    details = {**verdict.details, "cluster": cluster} if _names_behaviour(verdict) else verdict.details
    return replace(verdict, reason=WHOLE_CLUSTERS if verdict.reason == "behaviour" else verdict.reason, details=details)


def _names_behaviour(verdict: Verdict) -> bool:
    return "behaviour" in verdict.details or verdict.reason == "crossed"
