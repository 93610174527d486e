"""Gather the data of a stored experiment: warehouse queries, and the rule for which exposures count."""
