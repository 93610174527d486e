"""Stored payloads of churn models back to their records, whatever version wrote them. Pure."""

from runs.payloads import Document, Schema, Unreadable
from segments.churn.model import Quality
from segments.churn.result import ChurnResult
from stats.results import NotComputable

CHURN = Schema(ChurnResult)


def read_quality(payload: Document) -> Quality | NotComputable | Unreadable:
    """How good a churn model is, or why there is none."""
    found = CHURN.read(payload)
    return found if isinstance(found, Unreadable) else found.quality
