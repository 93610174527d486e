"""Verbs of AHA discovery."""
