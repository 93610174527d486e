"""Churn prediction for the users of a segment."""
