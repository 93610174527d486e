"""Turn the numbers of Explore views into sentences, tables and charts: one file per view."""
