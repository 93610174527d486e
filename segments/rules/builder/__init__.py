"""A rule as the rows of a form: what a person picked so far, changed row by row, and what is still wrong with it."""
