"""Stored payloads of segments back to their records, whatever version wrote them. Pure."""

from runs.payloads import Document, Schema, Unreadable
from segments.churn.model import Quality
from segments.published.run_results import Baseline, ChurnResult, ComparisonResult, DriftResult
from segments.search.placement import FittedModel
from segments.search.profiles import Profile
from segments.search.result import Report
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
