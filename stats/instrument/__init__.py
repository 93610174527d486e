"""What the behaviour does, read from a randomised nudge: moments, tests, sets, bounds, and its validity."""
