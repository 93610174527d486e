"""Questions to the event log: the engine, expressions, and what is prepared of the log."""

__all__ = [
    "activity_bits",
    "arm_marks",
    "columns",
    "daily_tables",
    "engine",
    "explore_session",
    "iceberg",
    "increments",
    "price",
    "queries",
    "readings",
    "result_tables",
    "session",
    "unit_values",
]
