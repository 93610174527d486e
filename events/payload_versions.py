"""Stored payloads of imports back to their records. Pure."""

from events.importing.import_report import ImportReport
from runs.payloads import Document, Schema, Unreadable

IMPORT = Schema(ImportReport)


def read(payload: Document) -> ImportReport | Unreadable:
    """What a finished import did."""
    return IMPORT.read(payload)
