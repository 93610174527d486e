"""Figures on the evidence of a candidate."""
