"""Shared code of all endpoints of the management API."""

__all__ = ["endpoints", "idempotency", "openapi", "problems"]
