"""Pages below /data/."""

__all__ = ["events", "imports", "metrics"]
