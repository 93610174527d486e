"""Import of event files: column mapping, validation, and writing to the store."""
