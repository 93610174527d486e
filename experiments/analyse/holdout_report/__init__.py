"""The holdout report: what everything that was shipped since a date did together."""
