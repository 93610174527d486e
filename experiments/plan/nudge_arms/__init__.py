"""Placebo and dose arms of a plan: their power, and the units they need."""
