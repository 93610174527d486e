"""The plan of an experiment as one page to read, comment, print and export."""
