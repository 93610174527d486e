"""Forgetting: one person's events on request, everybody's when they are old, and what of the erased comes late."""
