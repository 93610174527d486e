"""Segments: groups of users found by play pattern, by rule or in Explore, their members, drift and churn risk."""

__all__ = ["forms", "models", "names", "pickers", "published", "rules", "search"]
