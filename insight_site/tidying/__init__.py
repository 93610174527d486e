"""Pages and REST for tidying up: search, tags, owners, archive, hygiene."""

__all__ = ["api", "untidy", "views"]
