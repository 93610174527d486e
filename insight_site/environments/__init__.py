"""Environments: each is a site of its own; definitions go from one to the next with their history."""
