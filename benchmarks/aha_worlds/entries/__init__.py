"""All entries, in the order of the tables' columns. A new one: docs/aha_worlds.md, "Add an entry"."""

from benchmarks.aha_worlds.entries import correlations, ours, readings, shapley
from benchmarks.aha_worlds.records import Entry

ENTRIES: tuple[Entry, ...] = (ours.INSIGHT, *correlations.ENTRIES, shapley.LARGEST_SHAP, *readings.ENTRIES)
