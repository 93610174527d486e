"""The log once more, prepared for quick questions: users by number, sorted by event, and what questions keep."""
