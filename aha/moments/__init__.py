"""AHA moments: numbers that people decided to test, their weekly reach, and what experiments found."""

__all__ = ["claims", "promote", "reach", "retention_now"]
