"""Experiments in the management API."""
