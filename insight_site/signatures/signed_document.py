"""The signed document of a final analysis: its proof, the result and the registered plan, as one file."""

import json
from typing import Any

from experiments.models import Analysis
from experiments.plan.register import registration_of
from runs.refusals import Refused

PARTS = ("signed", "signature", "result", "plan")


def signed_document(analysis: Analysis) -> dict[str, Any] | None:
    """The document to verify a final analysis; None while the analysis isn't final, and for one without proof."""
    if not analysis.final or analysis.proof is None:
        return None
    row = registration_of(analysis.experiment)
    return {**analysis.proof, "result": analysis.payload, "plan": None if row is None else row.text}


def final_of(key: str) -> Analysis | None:
    """The final analysis of an experiment; None while there is none."""
    found = Analysis.objects.filter(experiment__key=key, status=Analysis.Status.DONE, final=True)
    return found.select_related("experiment").first()


def as_text(document: dict[str, Any]) -> str:
    """The document as a readable JSON file."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)


def read_document(text: bytes) -> dict[str, Any]:
    """Parse a file to its document.

    Raises:
        Refused: it is no such document.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    sound = isinstance(found, dict) and all(name in found for name in PARTS)
    if not sound or not isinstance(found["signed"], dict) or not isinstance(found["result"], dict):
        raise Refused("The file is no signed document of a final analysis.")
    signed = found["signed"]
    for name, kind in (("experiment", str), ("analysis", int), ("data", dict), ("plan", dict)):
        if not isinstance(signed.get(name), kind):
            raise Refused("The file is no signed document of a final analysis.")
    return dict(found)
