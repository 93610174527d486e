"""Analyse experiments: gather data, lock outcomes, check health, compute and store statistics and verdict."""
