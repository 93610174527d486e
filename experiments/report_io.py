"""Stored payloads back to their records. Pure."""

from typing import Any

from events.records import load
from experiments.readout import Readout


def read(payload: dict[str, Any]) -> Readout:
    """The readout of a done analysis."""
    return load(Readout, payload)
