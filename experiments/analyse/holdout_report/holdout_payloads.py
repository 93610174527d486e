"""Stored payloads of holdout readings back to their record, whatever version wrote them. Pure."""

from experiments.analyse.holdout_report.holdout_result import HoldoutReport
from runs.payloads import Document, Schema, Unreadable

HOLDOUT = Schema(HoldoutReport)


def read(payload: Document) -> HoldoutReport | Unreadable:
    """The report of a done reading."""
    return HOLDOUT.read(payload)
