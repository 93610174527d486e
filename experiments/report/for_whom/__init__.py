"""For whom the behaviour's effect holds, and whom to nudge."""
