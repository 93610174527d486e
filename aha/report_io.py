"""Stored payloads back to their records. Pure."""

from typing import Any

from aha.report import Candidate, Report
from reporting.document import load


def read(payload: dict[str, Any]) -> Report:
    """The report of a finished study."""
    return load(Report, payload)


def read_candidate(evidence: dict[str, Any]) -> Candidate:
    """The candidate as it stood when it became an AHA moment."""
    return load(Candidate, evidence)
