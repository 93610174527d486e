"""Experiments in the admin. Django finds its pages by this module."""

from experiments.admin import experiment, tables

__all__ = ["experiment", "tables"]
