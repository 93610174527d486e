"""Audience export: send the users of a segment, or those who reached a moment, to other systems."""

__all__ = ["api", "audience_services", "sync", "views"]
