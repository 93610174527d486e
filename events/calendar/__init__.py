"""The calendar of what happened: releases, campaigns, events and outages, with experiments and rollouts among them."""

__all__ = ["entries", "happened"]
