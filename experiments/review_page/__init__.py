"""The review of a plan as people see it: the checklist that the plan fills, the panel of a draft, all reviews."""
