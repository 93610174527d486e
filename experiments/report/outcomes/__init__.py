"""What the nudge does to every outcome, over all units and by segment."""
