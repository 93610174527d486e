"""Sections of a candidate's page: why this number, and the evidence for it."""
