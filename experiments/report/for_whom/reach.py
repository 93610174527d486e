"""The section "for whom?": how far the effect extends beyond compliers, and whom to nudge. Pure."""

from experiments.analyse.codes import NOT_THE_BEHAVIOUR, Code
from experiments.analyse.effects import Report
from experiments.analyse.result import Readout
from experiments.report.for_whom import beyond_moved, strength, whom_to_nudge
from reporting.table import Part, Section
from reporting.words import gettext


def section(_readout: Readout, report: Report) -> Section:
    """The section of a stored experiment, which is the same as for a file."""
    return of_report(report)


def of_report(report: Report) -> Section:
    """Parts of the first outcome; variants are numbered from 1. Without parts for broken data."""
    outcome, parts = report.outcomes[0], list[Part]()
    for place, row in enumerate(outcome.comparisons, start=1):
        if row.verdict.code not in NOT_THE_BEHAVIOUR:
            parts += beyond_moved.parts_of(outcome, row, place)
        policy = whom_to_nudge.part_of(outcome, row, place)
        if policy is not None and row.verdict.code is not Code.INVALID:
            parts.append(policy)
    margins = strength.part_of(outcome)
    if margins is not None and report.verdict.code not in NOT_THE_BEHAVIOUR:
        parts.append(margins)
    return Section("for-whom", gettext("For whom?"), "", tuple(parts))
