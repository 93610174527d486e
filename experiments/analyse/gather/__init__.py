"""Gather the data of a stored experiment: warehouse queries, and the rule for which exposures count."""

__all__ = ["admission", "admitting", "answers", "gather", "queries", "readings"]
