"""Deletion of events: of one person on request, of old events by retention, and of late events of erased users."""
