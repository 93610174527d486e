"""Dates and times as a language writes them, where Django's own order is wrong (settings.FORMAT_MODULE_PATH)."""
