"""Template tags that apps use by name."""
