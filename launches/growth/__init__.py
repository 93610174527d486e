"""Growth model: how many users will be active in the weeks to come, and what would move it."""

__all__ = ["forecasts", "model", "report"]
