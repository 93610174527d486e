"""Reports of segments, one file per page or form: sentences, tables, charts, JSON documents."""

__all__ = [
    "churn_page",
    "document",
    "drift_page",
    "early",
    "groups",
    "page",
    "rule_page",
    "segment_rows",
    "two_segments",
]
