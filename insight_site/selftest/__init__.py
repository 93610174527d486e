"""Self-test: effects of known size are planted into a copy of this site's log, and what Insight makes of them."""
