"""Outcomes of a plan from the catalogue of metrics."""
