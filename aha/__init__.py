"""AHA moments: the search for behaviours that go with retention, their evidence, and the moments that teams test."""

__all__ = ["evidence", "explore", "forms", "made_names", "models", "moments", "questions", "report", "study"]
