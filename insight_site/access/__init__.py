"""Access control: the permission table of routes, API keys, roles."""

__all__ = ["audit", "callers", "keys", "limits", "permissions", "roles"]
