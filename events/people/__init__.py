"""Who is who: joined ids, erased users, visitors."""

__all__ = ["identity", "login_events", "tombstones", "visits"]
