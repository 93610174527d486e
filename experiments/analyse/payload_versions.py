"""Stored payloads of analyses back to their records, whatever version wrote them. Pure."""

from experiments.analyse.result import Readout
from runs.payloads import Document, Schema, Unreadable

READOUT = Schema(Readout)


def read(payload: Document) -> Readout | Unreadable:
    """The readout of a done analysis."""
    return READOUT.read(payload)
