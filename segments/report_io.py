"""Stored payloads back to their records. Pure."""

from typing import Any

from reporting.document import NOT_COMPUTABLE_KEYS, load
from segments.churn import Quality
from segments.report import Report
from stats.results import NotComputable


def read(payload: dict[str, Any]) -> Report:
    """The report of a finished segmentation."""
    return load(Report, payload)


def read_quality(payload: dict[str, Any]) -> Quality | NotComputable:
    """How good a churn model is, or why there is none."""
    return stored(Quality, payload["quality"])


def stored[T](kind: type[T], document: dict[str, Any]) -> T | NotComputable:
    """A record that may have been stored as the reason why there is none."""
    missing = document.keys() == NOT_COMPUTABLE_KEYS
    return load(NotComputable, document) if missing else load(kind, document)
