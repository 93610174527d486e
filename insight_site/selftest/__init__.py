"""Self-test: plant effects of known size into a copy of this site's log, and check what Insight finds."""
