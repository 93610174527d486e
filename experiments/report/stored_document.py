"""A stored experiment's result as JSON for `analyze`, REST and downloads. Pure."""

from typing import Any

from experiments.analyse.effects import Report
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Opened
from experiments.report import behaviour, lab, outcomes, segments, targeting
from experiments.report.document import document as report_document
from experiments.report.document import health_document, verdict_document
from experiments.report.first_lines import health_sentence, opening, state_sentence
from experiments.report.flow import flow_of_file
from experiments.report.plan import document as decision_document
from experiments.report.promise_and_finding import contrasts, promise_finding
from reporting.document import outward
from reporting.table import Table

# Parts of a stored result that are written in other words.
WRITTEN = ("verdict", "decision", "report", "health", "take_ups", "lab")

# One report as text tables, in reading order, for the terminal: files and stored experiments. Pure.


def tables(report: Report) -> tuple[Table, ...]:
    """Flow, levels, effects, the behaviour, adjusted and segment tables; empty ones are left out."""
    pairs = [(outcome, row) for outcome in report.outcomes for row in outcome.comparisons]
    candidates = (
        flow_of_file(report),
        outcomes.levels(report),
        outcomes.comparisons(report),
        *(behaviour.table(report, outcome, row) for outcome, row in pairs),
        *(part.table for row in report.outcomes[0].comparisons if (part := behaviour.other_behaviours(report, row))),
        outcomes.adjusted(report),
        *(segments.table(outcome, row, report.design.level) for outcome, row in pairs if row.by_segment),
        *(part.table for part in targeting.of_report(report).parts),
    )
    return tuple(table for table in candidates if table is not None)


def document(result: AnalysisResult) -> dict[str, Any]:
    """The result as JSON values: state, verdict and sentences first, then every number.

    Args:
        result: of the analysis.

    Returns:
        A JSON object: `state`, `verdict` (null while the outcome is locked), `decision`, the page's sentences,
        `older_rules`, `health`, `contrasts` ("promised against found"); `report` as `analyze_file` gives it, null while
        locked; then plan, flow, path, validity, dose, Bayesian and time parts; `lab`, null for a test. What can't be
        computed is ``{"not_computable": reason}``.
    """
    whole: dict[str, Any] = outward(READOUT.to_document(result))
    first, verdict, maturity = opening(result), result.verdict, result.maturity
    return {
        "experiment": result.plan.key,
        "state": maturity.state.value,
        "state_reason": state_sentence(maturity.why),
        "final": maturity.final,
        "peeked": maturity.peeked or any(look.peeked for look in result.path),
        "opens_on": None if maturity.opens_on is None else maturity.opens_on.isoformat(),
        "verdict": None if verdict is None else verdict_document(verdict),
        "decision": None if result.decision is None else decision_document(result.decision),
        "heading": first.heading,
        "sentence": first.sentence,
        "alarms": list(first.alarms),
        "estimand": first.estimand,
        "known": list(first.known),
        "older_rules": list(first.older),
        "finding": promise_finding(result),
        "contrasts": [
            {"label": row.label, "estimate": row.estimate, "low": row.low, "high": row.high, "causal": not row.struck}
            for row in contrasts(result)
        ],
        **{name: value for name, value in whole.items() if name not in WRITTEN},
        "health": [{**health_document(row, health_sentence(row)), "invalid": row.invalid} for row in result.health],
        "report": report_document(result.report) if isinstance(result, Opened) else None,
        "lab": lab.document(result),
    }
