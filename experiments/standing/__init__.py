"""State of experiments: progress, end, health, consequences of actions, the plan in words."""
