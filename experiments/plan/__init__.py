"""The plan of an experiment: its record and rules, its life, and who writes it."""
