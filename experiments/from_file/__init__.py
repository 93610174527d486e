"""Analyse experiments that ran elsewhere, from a file: read, clean, analyse."""
