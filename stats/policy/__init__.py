"""Whom to nudge: rules on what was known before the assignment, and their value on units they weren't chosen on."""
