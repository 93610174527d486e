"""Stored payloads of overlaps back to their record, whatever version wrote them. Pure."""

from experiments.analyse.overlap.pairs import Overlap
from runs.payloads import Document, Schema, Unreadable

OVERLAP = Schema(Overlap)


def read(payload: Document) -> Overlap | Unreadable:
    """The overlap of a done run."""
    return OVERLAP.read(payload)
