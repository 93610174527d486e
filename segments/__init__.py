"""Segments: groups of users found by play pattern or written as rules, their members, drift and churn risk."""

__all__ = ["models", "names", "pickers", "published", "rules", "search"]
