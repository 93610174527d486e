"""One report as text tables, in reading order, for the terminal: files and stored experiments. Pure."""

from experiments.analyse.effects import Report
from experiments.report.behaviour import effect
from experiments.report.flow import flow_of_file
from experiments.report.for_whom import reach
from experiments.report.outcomes import effects, segments
from reporting.table import Table


def tables(report: Report) -> tuple[Table, ...]:
    """Flow, levels, effects, the behaviour, adjusted and segment tables; empty ones are left out."""
    pairs = [(outcome, row) for outcome in report.outcomes for row in outcome.comparisons]
    found = (
        flow_of_file(report),
        effects.levels(report),
        effects.comparisons(report),
        *(effect.table(report, outcome, row) for outcome, row in pairs),
        effects.adjusted(report),
        *(segments.table(outcome, row, report.design.level) for outcome, row in pairs if row.by_segment),
        *(part.table for part in reach.of_report(report).parts),
    )
    return tuple(table for table in found if table is not None)
