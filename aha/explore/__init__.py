"""Interactive pages: retention, behaviours over time, times within days, weekly user states, funnels."""

__all__ = ["answering", "groups", "saved", "views"]
