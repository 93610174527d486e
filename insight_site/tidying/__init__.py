"""Pages and REST by which people keep what they made in order: search, tags, owners, archive, hygiene."""
