"""Parse stored payloads of segmentations, of any version. Pure."""

from runs.payloads import Document, Schema, Unreadable
from segments.search.placement import FittedModel
from segments.search.profiles import Profile
from segments.search.result import Report

SEGMENTATION, FITTED, PROFILE = Schema(Report), Schema(FittedModel), Schema(Profile)


def read(payload: Document) -> Report | Unreadable:
    """The report of a finished segmentation."""
    return SEGMENTATION.read(payload)
