"""A stored experiment's readout as JSON for `analyze`, REST and the take-away. Pure; `gettext` gives the sentences."""

from collections.abc import Callable
from typing import Any

from events.records import dump, outward
from experiments.document import document
from experiments.live_words import state_sentence
from experiments.readout import Readout
from experiments.words import finding_sentence, verdict_sentence

type Gettext = Callable[[str], str]


def readout_document(readout: Readout, gettext: Gettext) -> dict[str, Any]:
    """The readout with its sentences in one language.

    Returns:
        A JSON object: `state`, `verdict` (null while the outcome is locked), `plan`, `flow`, `health`, `first_stage`;
        `report` as `analyze_file` gives it, null while locked; then path, validity, dose, Bayesian and time parts.
        What can't be computed is ``{"not_computable": reason}``.
    """
    found: dict[str, Any] = outward(dump(readout), gettext)
    verdict, standing = readout.verdict, readout.standing
    found |= {
        "experiment": readout.plan.key,
        "state": standing.state.value,
        "state_reason": state_sentence(standing.why, gettext),
        "final": standing.final,
        "peeked": standing.peeked,
        "opens_on": None if standing.opens_on is None else standing.opens_on.isoformat(),
        "verdict": None
        if verdict is None
        else {"code": str(verdict.code), "reason": verdict_sentence(verdict, gettext), "reason_code": verdict.reason},
        "health": [
            {
                "check": finding.check,
                "severity": str(finding.severity),
                "message": finding_sentence(finding, gettext),
                "invalid": finding.invalid,
            }
            for finding in readout.health
        ],
        "report": None if readout.report is None else document(readout.report, gettext),
    }
    first = ("experiment", "state", "state_reason", "final", "peeked", "opens_on", "verdict", "health")
    return {name: found[name] for name in (*first, *(name for name in found if name not in first))}
