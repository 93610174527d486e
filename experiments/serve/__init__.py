"""Answers to services: the served configuration, the sticky assignment, and the doors of OpenFeature and GrowthBook."""
