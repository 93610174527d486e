"""Comparisons of arms with one interface, over a file's rows or over a warehouse's cell moments."""
