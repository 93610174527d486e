"""Launches: what everybody got at a date. What its curve suggests, one class below a verdict."""

__all__ = ["answers", "balance", "growth", "judge", "models", "readings"]
