"""Templates for plans: what a template holds, how it is kept, drafts that are made from it."""
