"""Read stored payloads of analyses, of any version, into their records. Pure."""

from dataclasses import replace

from experiments.analyse.effects import Comparison, Report
from experiments.analyse.result import Readout
from experiments.analyse.verdict import WHOLE_CLUSTERS, Verdict
from runs.payloads import Document, Schema, Unreadable
from stats.results import NotComputable, Reason

READOUT = Schema(Readout)


def read(payload: Document) -> Readout | Unreadable:
    """The readout of a done analysis."""
    found = READOUT.read(payload)
    return found if isinstance(found, Unreadable) or not found.whole_clusters else _of_whole_clusters(found)


def _of_whole_clusters(found: Readout) -> Readout:
    """Reword results of version 0.4, which reported whole-cluster effects as effects of a member's own behaviour.

    Codes and figures stay as stored; only what they are about is corrected, which the plan determines.
    """
    cluster, report = found.whole_clusters, found.report
    missing = NotComputable(Reason.WHOLE_CLUSTERS)
    return replace(
        found,
        verdict=None if found.verdict is None else _verdict(found.verdict, cluster),
        report=None if report is None else _report(report, cluster),
        through=tuple(replace(row, inequalities=missing) for row in found.through),
        by_times=tuple(replace(row, response=missing) for row in found.by_times),
    )


def _report(report: Report, cluster: str) -> Report:
    outcomes = tuple(
        replace(outcome, comparisons=tuple(_comparison(row, cluster) for row in outcome.comparisons))
        for outcome in report.outcomes
    )
    return replace(report, verdict=_verdict(report.verdict, cluster), outcomes=outcomes)


def _comparison(row: Comparison, cluster: str) -> Comparison:
    told = row.encouragement
    if told is not None:
        kept = tuple(code for code in told.warnings if code not in ("compliers_only", WHOLE_CLUSTERS))
        missing = NotComputable(Reason.WHOLE_CLUSTERS)
        everybody = None if told.everybody is None else missing
        told = replace(told, warnings=(*kept, WHOLE_CLUSTERS), everybody=everybody, blind_spot=missing)
    return replace(row, encouragement=told, verdict=_verdict(row.verdict, cluster))


def _verdict(verdict: Verdict, cluster: str) -> Verdict:
    details = {**verdict.details, "cluster": cluster} if _names_behaviour(verdict) else verdict.details
    return replace(verdict, reason=WHOLE_CLUSTERS if verdict.reason == "behaviour" else verdict.reason, details=details)


def _names_behaviour(verdict: Verdict) -> bool:
    return "behaviour" in verdict.details or verdict.reason == "crossed"
