"""Load stored payloads of self-tests. Pure."""

from insight_site.selftest.selftest_result import SelfTestReport
from runs.payloads import Document, Schema, Unreadable

SELF_TEST = Schema(SelfTestReport)


def read(payload: Document) -> SelfTestReport | Unreadable:
    """The result of a finished self-test."""
    return SELF_TEST.read(payload)
