"""Event balance: rules played over past days before an event starts, and what came of them afterwards."""

__all__ = ["gather", "kept", "report", "rules", "runs", "simulation"]
