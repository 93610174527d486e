"""Inputs of a study before it starts: defaults that fit the data, preview, validation."""

__all__ = ["asked_changes", "objections", "preview"]
