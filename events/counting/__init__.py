"""Queries of the event log as Ibis expressions: days, counts, values of units. Nothing runs here."""
