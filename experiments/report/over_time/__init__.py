"""Retention over time, one file a chart."""
