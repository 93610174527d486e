"""Outcomes of a plan that come from the catalogue of metrics."""
