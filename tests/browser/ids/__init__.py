"""Joined ids in a browser."""
