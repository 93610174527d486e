"""The holdout report: the joint effect of everything shipped since a date."""
