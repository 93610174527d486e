"""Experiments in the admin. Django finds its pages by this module."""

from experiments.admin import experiment, layers, webhooks

__all__ = ["experiment", "layers", "webhooks"]
