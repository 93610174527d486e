"""Shared code of all endpoints of the management API."""
