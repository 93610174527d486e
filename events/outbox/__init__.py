"""The outbox: accepted events on their way to the store; flush, quarantine, and ownership of the store."""

__all__ = ["accept", "circuit_breaker", "flush", "freshness", "pressure", "reconcile_after_restore", "store_health"]
