"""Organise what people create: tags, owners, archive, usage, and search."""

__all__ = ["archive", "tags_and_owners", "text_search", "thing_kinds", "thing_verbs"]
