"""Stored payloads of analyses back to their records, whatever version wrote them. Pure."""

from events.payloads import Document, Schema, Unreadable
from experiments.readout import Readout

READOUT = Schema(Readout)


def read(payload: Document) -> Readout | Unreadable:
    """The readout of a done analysis."""
    return READOUT.read(payload)
