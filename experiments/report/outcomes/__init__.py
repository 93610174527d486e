"""Effects of the nudge on every outcome, over all units and by segment."""
