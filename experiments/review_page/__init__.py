"""Review pages: the checklist that a plan fills in, the panel of a draft, and the list of all reviews."""
