"""Charts of retention over time, one per file."""
