"""The event log: events come in over HTTP or from files, are kept exactly once, and are asked through the warehouse."""
