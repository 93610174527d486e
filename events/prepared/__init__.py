"""The prepared log: a copy of the event log for fast queries, with numbered users, sorted by event, and a cache."""
