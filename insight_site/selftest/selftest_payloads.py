"""Stored payloads of self-tests back to their records. Pure."""

from insight_site.selftest.selftest_result import SelfTestReport
from runs.payloads import Document, Schema, Unreadable

SELF_TEST = Schema(SelfTestReport)


def read(payload: Document) -> SelfTestReport | Unreadable:
    """What a finished self-test found."""
    return SELF_TEST.read(payload)
