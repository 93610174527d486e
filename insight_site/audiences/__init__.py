"""Audience export: send the users of a segment, or those who reached a moment, to other systems."""
