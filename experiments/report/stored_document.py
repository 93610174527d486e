"""A stored experiment's readout as JSON for `analyze`, REST and downloads. Pure."""

from typing import Any

from experiments.analyse.result import Readout
from experiments.report.document import document as report_document
from experiments.report.document import health_document, verdict_document
from experiments.report.first_lines import health_sentence, opening, state_sentence
from experiments.report.outcomes.registered_decision import document as decision_document
from experiments.report.promise_and_finding import contrasts, promise_finding
from reporting.document import dump, outward


def document(readout: Readout) -> dict[str, Any]:
    """The readout as JSON values: state, verdict and sentences first, then every number.

    Args:
        readout: the analysis.

    Returns:
        A JSON object: `state`, `verdict` (null while the outcome is locked), `decision`, the page's sentences,
        `older_rules`, `health`, `contrasts` ("promised against found"); `report` as `analyze_file` gives it, null while
        locked; then plan, flow, path, validity, dose, Bayesian and time parts. What can't be computed is
        ``{"not_computable": reason}``.
    """
    whole: dict[str, Any] = outward(dump(readout))
    first, verdict, standing = opening(readout), readout.verdict, readout.standing
    return {
        "experiment": readout.plan.key,
        "state": standing.state.value,
        "state_reason": state_sentence(standing.why),
        "final": standing.final,
        "peeked": standing.peeked or any(look.peeked for look in readout.path),
        "opens_on": None if standing.opens_on is None else standing.opens_on.isoformat(),
        "verdict": None if verdict is None else verdict_document(verdict),
        "decision": None if readout.decision is None else decision_document(readout.decision),
        "heading": first.heading,
        "sentence": first.sentence,
        "alarms": list(first.alarms),
        "estimand": first.estimand,
        "known": list(first.known),
        "older_rules": list(first.older),
        "finding": promise_finding(readout),
        "contrasts": [
            {"label": row.label, "estimate": row.estimate, "low": row.low, "high": row.high, "causal": not row.struck}
            for row in contrasts(readout)
        ],
        **{name: value for name, value in whole.items() if name not in ("verdict", "decision", "report", "health")},
        "health": [{**health_document(row, health_sentence(row)), "invalid": row.invalid} for row in readout.health],
        "report": None if readout.report is None else report_document(readout.report),
    }
