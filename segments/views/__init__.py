"""Pages about segments."""

__all__ = ["comparing", "published", "rules", "searching"]
