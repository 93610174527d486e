"""The event log: events arrive over HTTP or from files, are stored exactly once, and queried through the warehouse."""

__all__ = [
    "admin",
    "calendar",
    "catalogue",
    "data_retention",
    "erasure",
    "importing",
    "ingest",
    "metrics",
    "models",
    "outbox",
    "people",
    "pickers",
    "schema",
    "simulation",
    "store",
    "upkeep",
    "warehouse",
    "windows",
]
