"""Experiments in the admin. Django finds admin pages through this module."""

from experiments.admin import experiment, layers, reviews, rollouts, webhooks

__all__ = ["experiment", "layers", "reviews", "rollouts", "webhooks"]
