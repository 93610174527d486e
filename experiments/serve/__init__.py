"""Serve flags: configuration, sticky assignment, OpenFeature and GrowthBook APIs."""

__all__ = ["assign", "carry_over", "config", "http_body", "ofrep", "overrides", "rollout_lifecycle", "sdk", "shipping"]
