"""Stored payloads back to their records. Pure."""

from typing import Any

from experiments.readout import Readout
from reporting.document import load


def read(payload: dict[str, Any]) -> Readout:
    """The readout of a done analysis."""
    return load(Readout, payload)
