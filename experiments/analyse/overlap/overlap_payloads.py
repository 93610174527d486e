"""Read stored payloads of overlaps, of any version, into their record. Pure."""

from experiments.analyse.overlap.pairs import Overlap
from runs.payloads import Document, Schema, Unreadable

OVERLAP = Schema(Overlap)


def read(payload: Document) -> Overlap | Unreadable:
    """The overlap of a done run."""
    return OVERLAP.read(payload)
