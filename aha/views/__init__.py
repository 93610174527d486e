"""Pages of AHA discovery."""

__all__ = ["comparing", "moments", "questions", "studies"]
