"""Formatting of numbers, tables, charts and documents for all apps. Pure."""

__all__ = ["charts", "date_marks", "document", "numbers", "plain_svg", "table", "words"]
