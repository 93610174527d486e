"""Template tags, which apps use by name."""
