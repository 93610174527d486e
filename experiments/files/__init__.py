"""Files of finished experiments: read, cleaned, analysed, and kept as findings."""

__all__ = ["analyze", "cleaning", "factorial", "guess", "import_experiment", "judge", "reading", "summaries"]
