"""Backup: the database at one instant, the event store at the matching version, uploads and settings."""
