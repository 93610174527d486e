"""Date and time formats per language, where Django's own order is wrong (settings.FORMAT_MODULE_PATH)."""
