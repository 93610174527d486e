"""The event store: one Delta table, where it lies, and what may be done to it. Only this folder knows Delta."""

__all__ = [
    "changes",
    "derived",
    "dictionary",
    "disk",
    "event_table",
    "object_store",
    "ownership",
    "place",
    "result_tables",
    "rewrite",
    "snapshot",
    "time_travel",
    "version_copy",
]
