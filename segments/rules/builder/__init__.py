"""Rule editor: a rule as rows of a form, their changes and validation."""
