"""Self-test: plant effects of known size into a copy of this site's log, and check what Insight finds."""

__all__ = ["self_tests", "selftest_page", "selftest_result", "views"]
