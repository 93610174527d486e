"""Verbs: read, query, compute, store."""
