"""Import of event files: column mapping, validation, and writing to the store."""

__all__ = ["import_file", "import_report", "mapping", "numbering", "options", "text_reading", "uploads"]
