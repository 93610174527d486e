"""Survival analysis: Kaplan-Meier, log-rank, restricted mean, and the share active on each day."""

__all__ = ["day_curve", "kaplan_meier", "logrank", "rmst"]
