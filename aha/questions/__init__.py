"""Inputs of a study before it starts: defaults that fit the data, preview, validation."""
