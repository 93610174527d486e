"""Formatting of numbers, tables, charts and documents for all apps. Pure."""
