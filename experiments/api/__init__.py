"""Experiments in the management API."""

__all__ = ["analyses", "serializers"]
