"""How an experiment stands: progress, end, health, what an action will do, its plan in words."""
