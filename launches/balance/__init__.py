"""Event balance: rules played over past days before an event starts, and what came of them afterwards."""

__all__ = ["gather", "report", "rules", "simulation"]
