"""Formatting of numbers, tables, charts and documents for all apps. Pure."""

__all__ = ["charts", "document", "numbers", "plain_svg", "table", "words"]
