"""Health checks: whether the data can be trusted. One small function per check."""
