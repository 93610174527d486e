"""Stored payloads of segments back to their records, whatever version wrote them. Pure."""

from runs.payloads import Document, Schema, Unreadable
from segments.churn import Quality
from segments.placement import FittedModel
from segments.profiles import Profile
from segments.report import Report
from segments.results import Baseline, ChurnResult, ComparisonResult, DriftResult
from stats.results import NotComputable

SEGMENTATION, CHURN, COMPARISON = Schema(Report), Schema(ChurnResult), Schema(ComparisonResult)
FITTED, BASELINE, DRIFT, PROFILE = Schema(FittedModel), Schema(Baseline), Schema(DriftResult), Schema(Profile)


def read(payload: Document) -> Report | Unreadable:
    """The report of a finished segmentation."""
    return SEGMENTATION.read(payload)


def read_quality(payload: Document) -> Quality | NotComputable | Unreadable:
    """How good a churn model is, or why there is none."""
    found = CHURN.read(payload)
    return found if isinstance(found, Unreadable) else found.quality
