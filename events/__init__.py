"""The event log: events arrive over HTTP or from files, are stored exactly once, and queried through the warehouse."""
