"""Read stored payloads of holdout readings, of any version, into their record. Pure."""

from experiments.analyse.holdout_report.holdout_result import HoldoutReport
from runs.payloads import Document, Schema, Unreadable

HOLDOUT = Schema(HoldoutReport)


def read(payload: Document) -> HoldoutReport | Unreadable:
    """The report of a done reading."""
    return HOLDOUT.read(payload)
