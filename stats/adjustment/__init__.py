"""Comparisons that are adjusted for what was known before the assignment."""
