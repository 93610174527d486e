"""Stored payloads of imports and of checks of metrics back to their records. Pure."""

from events.importing.import_report import ImportReport
from events.metric_catalogue.check_report import CheckReport
from runs.payloads import Document, Schema, Unreadable

IMPORT = Schema(ImportReport)
CHECK = Schema(CheckReport)


def read(payload: Document) -> ImportReport | Unreadable:
    """What a finished import did."""
    return IMPORT.read(payload)


def read_check(payload: Document) -> CheckReport | Unreadable:
    """What a check of a metric found."""
    return CHECK.read(payload)
