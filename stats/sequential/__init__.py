"""Interim looks: intervals valid at every look, bounds of planned looks, estimates after an early stop."""

__all__ = ["boundaries", "looks", "non_inferiority", "stagewise"]
