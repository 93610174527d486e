"""The preregistration: a text made of the plan alone, taken at the start, with its hash."""
