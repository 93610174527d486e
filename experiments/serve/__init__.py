"""Serve flags: configuration, sticky assignment, OpenFeature and GrowthBook APIs."""
