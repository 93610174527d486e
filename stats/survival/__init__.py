"""Survival analysis: Kaplan-Meier, log-rank, restricted mean, and the share active on each day."""
