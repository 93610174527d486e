"""A backup: the database at one instant, the event store at the version that fits it, uploads and settings."""
