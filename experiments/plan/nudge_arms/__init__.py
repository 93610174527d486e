"""Placebo and dose arms of a plan: what they could tell, and what they need."""
