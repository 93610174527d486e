"""Answers of the warehouse become arrays."""
