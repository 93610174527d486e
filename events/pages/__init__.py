"""Pages below /data/."""

__all__ = ["calendar", "events", "imports", "metrics"]
