"""An analysis as other programs read it: its numbers, and the sentences that the page says. Pure."""

from typing import Any

from aha.figures import Gettext
from events.records import dump, outward
from experiments.contrasts import contrasts, promise_finding
from experiments.readout import Readout
from experiments.report_words import health_sentence, opening


def document(readout: Readout, gettext: Gettext) -> dict[str, Any]:
    """The readout as JSON values: missing numbers with their reason in words, and what is to be read first.

    Args:
        readout: the analysis.
        gettext: decides the language of the sentences.
    """
    first = opening(readout, gettext)
    rows = contrasts(readout, gettext)
    return {
        "experiment": readout.plan.key,
        "verdict": first.code,
        "heading": first.heading,
        "sentence": first.sentence,
        "alarms": list(first.alarms),
        "estimand": first.estimand,
        "known": list(first.known),
        "finding": promise_finding(readout, gettext),
        "contrasts": [
            {"label": row.label, "estimate": row.estimate, "low": row.low, "high": row.high, "causal": not row.struck}
            for row in rows
        ],
        "health": [
            {"check": row.check, "severity": str(row.severity), "sentence": health_sentence(row, gettext)}
            for row in readout.health
        ],
        "readout": outward(dump(readout), gettext),
    }
