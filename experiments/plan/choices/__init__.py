"""Consequences of a plan's choices: its calendar, the cost of each choice, and warnings. Pure."""
