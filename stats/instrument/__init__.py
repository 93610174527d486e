"""Effect of a behaviour from a randomised nudge (instrumental variables): moments, tests, sets, bounds, validity."""
