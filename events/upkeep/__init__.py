"""Organise what people create: tags, owners, archive, usage, and search."""
