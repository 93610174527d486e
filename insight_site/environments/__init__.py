"""Environments: each is a separate site; definitions are promoted from one to the next with their history."""
