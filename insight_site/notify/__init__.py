"""Notices and the weekly digest."""

__all__ = ["api", "delivering", "digest", "digest_letters", "dispatch", "forms", "preferences", "send_safely", "views"]
