"""Ids that are one person, through the whole stack."""
