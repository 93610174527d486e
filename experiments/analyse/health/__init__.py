"""Health checks: whether the data can be trusted. One small function per check."""

__all__ = ["all_checks", "context", "nudge", "sample_ratio"]
